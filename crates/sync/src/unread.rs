//! How much a user has not read of a room: a fold over the timeline since the read receipt.
//!
//! No row is written for a member or a notification. What is unread is found once for each (user, room) that
//! is synced, kept in memory up to a position, and continued from there; receipts take away from it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use parvis_cache::Cache;
use parvis_events::Membership;
use parvis_storage::{
    Change, Direction, EventSn, Position, RoomSn, StorageError, Store, StoredEvent, UserSn,
};
use ruma::{EventId, OwnedEventId, UserId};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{answer::UnreadCounts, rules::PushRules, threads::thread_of, view::View};

/// How many (user, room) pairs are kept.
const TALLIES: u64 = 100_000;
/// How far back what is unread is looked for where nothing is kept: this many events.
const BACK: usize = 500;
/// How many unread events are counted of a room at most.
const MOST: usize = 1_000;

/// Counts what is unread. Cheap to clone; all clones share what they remember.
#[derive(Clone, Debug)]
pub(crate) struct Unread {
    store: Store,
    view: View,
    pub(crate) rules: PushRules,
    tallies: Cache<(UserSn, RoomSn), Arc<Mutex<Tally>>>,
}

/// What is unread in a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RoomCounts {
    /// In the main timeline.
    pub(crate) main: UnreadCounts,
    /// In threads, by their roots; those with nothing unread are left out.
    pub(crate) threads: BTreeMap<OwnedEventId, UnreadCounts>,
}

impl RoomCounts {
    /// Everywhere in the room.
    pub(crate) fn total(&self) -> UnreadCounts {
        let all = self.threads.values().chain([&self.main]);
        all.fold(UnreadCounts::default(), |sum, counts| UnreadCounts {
            notifications: sum.notifications + counts.notifications,
            highlights: sum.highlights + counts.highlights,
        })
    }
}

/// The unread events of a room that notify, up to a position.
#[derive(Debug, Default)]
struct Tally {
    until: Option<Position>,
    /// Oldest first.
    events: Vec<Notifying>,
}

#[derive(Debug)]
struct Notifying {
    position: Position,
    event: EventSn,
    thread: Option<OwnedEventId>,
    highlight: bool,
}

/// How far a user has read, by receipts.
#[derive(Debug, Default)]
struct Marks {
    unthreaded: Option<Position>,
    by_thread: HashMap<String, Position>,
}

impl Marks {
    fn covers(&self, event: &Notifying) -> bool {
        self.cover(event.position, event.thread.as_deref())
    }

    fn cover(&self, position: Position, thread: Option<&EventId>) -> bool {
        let thread = thread.map_or("main", EventId::as_str);
        let marks = [self.unthreaded, self.by_thread.get(thread).copied()];
        marks.into_iter().flatten().any(|mark| position <= mark)
    }
}

/// A user's relation to a room, for a fold.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) user: UserSn,
    pub(crate) user_id: &'a UserId,
    pub(crate) room: RoomSn,
}

impl Unread {
    pub(crate) fn new(store: Store, view: View) -> Self {
        Self { rules: PushRules::new(store.clone()), store, view, tallies: Cache::new(TALLIES) }
    }

    /// What a user has not read of a room in which they are, of what was said up to a position.
    pub(crate) async fn counts(
        &self,
        user: UserSn,
        user_id: &UserId,
        room: RoomSn,
        until: Position,
    ) -> Result<RoomCounts, StorageError> {
        let tally = self.fold(Reader { user, user_id, room }, until).await?;
        Ok(sum(tally.events.iter().filter(|event| event.position <= until)))
    }

    /// The events that notify and that a user has not read of a room in which they are, between two positions
    /// (`after` excluded, `until` included), oldest first.
    pub(crate) async fn events(
        &self,
        reader: Reader<'_>,
        after: Position,
        until: Position,
    ) -> Result<Vec<(Position, EventSn)>, StorageError> {
        let tally = self.fold(reader, until).await?;
        let events = tally.events.iter().map(|event| (event.position, event.event));
        Ok(events.filter(|(position, _)| *position > after && *position <= until).collect())
    }

    /// Whether a user has read an event of a room in which they are, by their receipts.
    pub(crate) async fn is_read(
        &self,
        reader: Reader<'_>,
        event: &Arc<StoredEvent>,
    ) -> Result<bool, StorageError> {
        let thread = thread_of(&self.store, event).await?;
        Ok(self.marks(&reader).await?.cover(event.position, thread.as_deref()))
    }

    /// What is unread, brought up to a position at least.
    async fn fold(
        &self,
        reader: Reader<'_>,
        until: Position,
    ) -> Result<OwnedMutexGuard<Tally>, StorageError> {
        let tally = self.tallies.get_with((reader.user, reader.room), Arc::default);
        let mut tally = tally.lock_owned().await;
        let marks = self.marks(&reader).await?;
        let new = match tally.until {
            Some(counted) if counted >= until => Vec::new(),
            Some(counted) => self.events_between(reader.room, counted, until).await?,
            None => self.unread_events(&reader, &marks, until).await?,
        };
        for event in &new {
            self.count(&reader, &mut tally, event).await?;
        }
        tally.until = tally.until.max(Some(until));
        tally.events.retain(|event| !marks.covers(event));
        let surplus = tally.events.len().saturating_sub(MOST);
        tally.events.drain(..surplus);
        Ok(tally)
    }

    async fn marks(&self, reader: &Reader<'_>) -> Result<Marks, StorageError> {
        let mut marks = Marks::default();
        for receipt in self.store.receipts_of_room(reader.room).await?.of(reader.user) {
            let position = receipt.event_position;
            if receipt.thread.is_empty() {
                marks.unthreaded = marks.unthreaded.max(Some(position));
            } else {
                let mark = marks.by_thread.entry(receipt.thread.clone()).or_insert(position);
                *mark = position.max(*mark);
            }
        }
        Ok(marks)
    }

    /// The room's events after one position up to another, oldest first, from memory if it reaches back.
    async fn events_between(
        &self,
        room: RoomSn,
        after: Position,
        until: Position,
    ) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        let mut found: Vec<EventSn> = Vec::new();
        let covered = self.store.visit_changes(after, until, |announced| match announced.change {
            Change::Event { room: moved, event, .. } if moved == room => found.push(event),
            _ => {}
        });
        if covered {
            return self.store.events(&found).await;
        }
        self.newest(room, after, until).await
    }

    async fn newest(
        &self,
        room: RoomSn,
        after: Position,
        until: Position,
    ) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        let mut events = self.store.timeline(room, after, until, Direction::Backward, BACK).await?;
        events.reverse();
        Ok(events)
    }

    /// The events that the user may not have read, oldest first: back to the receipt, within reason.
    async fn unread_events(
        &self,
        reader: &Reader<'_>,
        marks: &Marks,
        until: Position,
    ) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        let after = marks.unthreaded.max(Some(self.entered(reader).await?));
        self.newest(reader.room, after.unwrap_or(Position::START), until).await
    }

    /// Where a user came into a room in which they are; the beginning, if they have changed their name since.
    pub(crate) async fn entered(&self, reader: &Reader<'_>) -> Result<Position, StorageError> {
        let Some(member) = self.store.member(reader.user, reader.room).await? else {
            return Ok(Position::START);
        };
        let joined = self.store.event(member.event).await?;
        let came_in = self.is_coming_in(reader, &joined).await?;
        Ok(if came_in { joined.position } else { Position::START })
    }

    /// Adds an event to a tally, or lets it take away from it.
    async fn count(
        &self,
        reader: &Reader<'_>,
        tally: &mut Tally,
        event: &Arc<StoredEvent>,
    ) -> Result<(), StorageError> {
        if event.sender == reader.user {
            return self.count_own(reader, tally, event).await;
        }
        let ignored = self.view.ignored_by(reader.user).await?;
        if !event.pdu.is_state() && ignored.contains(event.pdu.sender()) {
            return Ok(());
        }
        let verdict = self.rules.verdict(reader.user, reader.user_id, event).await?;
        if verdict.notify {
            let thread = thread_of(&self.store, event).await?;
            let (position, highlight) = (event.position, verdict.highlight);
            tally.events.push(Notifying { position, event: event.sn, thread, highlight });
        }
        Ok(())
    }

    /// Who speaks in a thread has read it; who comes in has nothing to read.
    async fn count_own(
        &self,
        reader: &Reader<'_>,
        tally: &mut Tally,
        event: &Arc<StoredEvent>,
    ) -> Result<(), StorageError> {
        if !event.pdu.is_state() {
            let thread = thread_of(&self.store, event).await?;
            tally.events.retain(|unread| unread.thread != thread);
        } else if self.is_coming_in(reader, event).await? {
            tally.events.clear();
        }
        Ok(())
    }

    /// Whether an event is the user's entering of the room, rather than a change of name.
    async fn is_coming_in(
        &self,
        reader: &Reader<'_>,
        event: &Arc<StoredEvent>,
    ) -> Result<bool, StorageError> {
        let pdu = &event.pdu;
        let own = pdu.is_state_of("m.room.member", reader.user_id.as_str());
        if !own || pdu.membership() != Some(Membership::Join) {
            return Ok(false);
        }
        let Some(slot) = event.slot else { return Ok(false) };
        let Some(before) = self.store.state_slot(event.state_root, slot).await? else { return Ok(true) };
        Ok(self.store.event(before).await?.pdu.membership() != Some(Membership::Join))
    }
}

fn sum<'a>(events: impl Iterator<Item = &'a Notifying>) -> RoomCounts {
    let mut counts = RoomCounts::default();
    for event in events {
        let place = match &event.thread {
            None => &mut counts.main,
            Some(root) => counts.threads.entry(root.clone()).or_default(),
        };
        place.notifications += 1;
        place.highlights += u64::from(event.highlight);
    }
    counts
}
