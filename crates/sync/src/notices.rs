//! What a user is told while they are not looking: which events notify them, what they have not read, and what they
//! were notified of before.
//!
//! The very counts that a sync gives: both come from the same fold, and from the same memory. Does not know how
//! users are told, or where.

use std::{
    collections::{BinaryHeap, HashMap, VecDeque},
    sync::Arc,
};

use parvis_events::Membership;
use parvis_storage::{
    DeviceSn, Direction, EventSn, Position, RoomSn, StorageError, Store, StoredEvent, Token, UserSn,
};
use ruma::{OwnedUserId, UserId, push::Action};

use crate::{
    unread::{Reader as RoomReader, Unread},
    view::{Reader, ShownEvent, View},
};

/// How many events of a room are read at once in search of notifications.
const CHUNK: usize = 64;
/// How many events are looked at for one page of notifications.
const LOOKED_AT: usize = 2_000;
/// No device has this number: for looks that no device asked for.
const NO_DEVICE: DeviceSn = DeviceSn(0);

/// What users are told while they are not looking. Cheap to clone; all clones share what they remember.
#[derive(Clone, Debug)]
pub struct Notices {
    store: Store,
    view: View,
    unread: Unread,
}

/// How much a user has not read, everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnreadTotal {
    /// How many events that notify: the sum of what a sync counts.
    pub messages: u64,
    /// In how many rooms there are any.
    pub rooms: u64,
}

/// An event that notified a user.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The event, as the user sees it.
    pub shown: ShownEvent,
    /// What the user's rules have done about it.
    pub actions: Vec<Action>,
    /// Whether the user has read it.
    pub read: bool,
}

/// A page of what a user was notified of.
#[derive(Clone, Debug, Default)]
pub struct NotificationsPage {
    /// The newest first.
    pub notifications: Vec<Notification>,
    /// Where the next page begins, if there may be more.
    pub next: Option<Token>,
}

impl Notices {
    pub(crate) fn new(store: Store, view: View, unread: Unread) -> Self {
        Self { store, view, unread }
    }

    /// Whether an event notifies a user by their rules of now. Their own do not, nor do messages and invites of those
    /// whom they ignore.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn notifies(&self, user: UserSn, event: &Arc<StoredEvent>) -> Result<bool, StorageError> {
        if self.is_unwanted(user, event).await? {
            return Ok(false);
        }
        let user_id = self.store.user_id(user).await?;
        Ok(self.unread.rules.verdict(user, &user_id, event).await?.notify)
    }

    /// What is done about an event that was found to notify a user: nothing if they have read it meanwhile, have
    /// left the room or may not see the event, if it was redacted, or if their rules are others now.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn actions(&self, user: UserSn, event: &Arc<StoredEvent>) -> Result<Vec<Action>, StorageError> {
        let Some(member) = self.store.member(user, event.room).await? else { return Ok(Vec::new()) };
        let user_id = self.store.user_id(user).await?;
        let stands = match member.membership {
            Membership::Join => self.is_unread(user, &user_id, event).await?,
            Membership::Invite => member.event == event.sn,
            Membership::Knock | Membership::Leave | Membership::Ban => false,
        };
        if !stands || event.redacted_by.is_some() || self.is_unwanted(user, event).await? {
            return Ok(Vec::new());
        }
        self.unread.rules.actions(user, &user_id, event).await
    }

    /// What notifies a user and is unread, and the invites that they have not answered, of all that came between two
    /// positions (`after` excluded, `until` included): oldest first, at most `limit`.
    ///
    /// Costs no query for rooms that are in memory; else a page of events for each room.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn unread_between(
        &self,
        user: UserSn,
        after: Position,
        until: Position,
        limit: usize,
    ) -> Result<Vec<(Position, EventSn)>, StorageError> {
        let user_id = self.store.user_id(user).await?;
        let mut found = Vec::new();
        for (room, member) in self.store.rooms_of_user(user).await?.all() {
            match member.membership {
                Membership::Join => {
                    let reader = RoomReader { user, user_id: &user_id, room };
                    found.extend(self.unread.events(reader, after, until).await?);
                }
                Membership::Invite if member.position > after && member.position <= until => {
                    found.push((member.position, member.event));
                }
                _ => {}
            }
        }
        found.sort_unstable();
        found.truncate(limit);
        Ok(found)
    }

    /// How much a user has not read in the rooms in which they are, as of now. Costs a look into memory for each
    /// room; where memory lacks a room, what a first sync of it costs.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn total(&self, user: UserSn) -> Result<UnreadTotal, StorageError> {
        let user_id = self.store.user_id(user).await?;
        let until = self.store.head();
        let mut total = UnreadTotal::default();
        for (room, member) in self.store.rooms_of_user(user).await?.all() {
            if member.is_joined() {
                let counts = self.unread.counts(user, &user_id, room, until).await?.total();
                total.messages += counts.notifications;
                total.rooms += u64::from(counts.notifications > 0);
            }
        }
        Ok(total)
    }

    /// A page of what a user was notified of before a place (from the newest, without one), in the rooms in which
    /// they are, by their rules of now; only what was highlighted, if so wished.
    ///
    /// Nothing is kept of notifications, so they are found again in the timelines: one statement for where the rooms
    /// stand, then one for every 64 events of a room, from the newest down; events and rules are mostly in memory. A
    /// page looks at 2,000 events at most, and may then be shorter than asked for, or empty.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn page(
        &self,
        reader: Reader,
        before: Option<Token>,
        limit: usize,
        only_highlights: bool,
    ) -> Result<NotificationsPage, StorageError> {
        let user = self.store.user_id(reader.user).await?;
        let mut walk = self.walk(reader.user, &user, before).await?;
        let mut found = Vec::new();
        let mut next = None;
        for _ in 0..LOOKED_AT {
            let Some(event) = walk.next(&self.store).await? else {
                next = None;
                break;
            };
            next = Some(Token::from(Position(event.position.0 - 1)));
            let actions = self.past_actions(reader.user, &user, &event).await?;
            let wanted = match only_highlights {
                true => actions.iter().any(Action::is_highlight),
                false => !actions.is_empty(),
            };
            if wanted {
                found.push((event, actions));
            }
            if found.len() >= limit {
                break;
            }
        }
        let notifications = self.show(reader, &user, found).await?;
        Ok(NotificationsPage { notifications, next })
    }

    /// As [`actions`](Self::actions), were the event still unread.
    async fn past_actions(
        &self,
        user: UserSn,
        user_id: &UserId,
        event: &Arc<StoredEvent>,
    ) -> Result<Vec<Action>, StorageError> {
        if event.redacted_by.is_some() || self.is_unwanted(user, event).await? {
            return Ok(Vec::new());
        }
        self.unread.rules.actions(user, user_id, event).await
    }

    async fn show(
        &self,
        reader: Reader,
        user_id: &UserId,
        found: Vec<(Arc<StoredEvent>, Vec<Action>)>,
    ) -> Result<Vec<Notification>, StorageError> {
        let events: Vec<_> = found.iter().map(|(event, _)| Arc::clone(event)).collect();
        let mut actions: HashMap<EventSn, Vec<Action>> =
            found.into_iter().map(|(event, actions)| (event.sn, actions)).collect();
        let mut notifications = Vec::with_capacity(events.len());
        for shown in self.view.show(reader, &events).await? {
            let room_reader = RoomReader { user: reader.user, user_id, room: shown.event.room };
            let read = self.unread.is_read(room_reader, &shown.event).await?;
            let actions = actions.remove(&shown.event.sn).unwrap_or_default();
            notifications.push(Notification { shown, actions, read });
        }
        Ok(notifications)
    }

    /// Whether nobody is told of an event whatever their rules say.
    async fn is_unwanted(&self, user: UserSn, event: &StoredEvent) -> Result<bool, StorageError> {
        if event.sender == user {
            return Ok(true);
        }
        let is_invite = event.pdu.membership() == Some(Membership::Invite);
        let is_ignorable = !event.pdu.is_state() || is_invite;
        Ok(is_ignorable && self.view.ignored_by(user).await?.contains(event.pdu.sender()))
    }

    async fn is_unread(
        &self,
        user: UserSn,
        user_id: &OwnedUserId,
        event: &Arc<StoredEvent>,
    ) -> Result<bool, StorageError> {
        let reader = RoomReader { user, user_id, room: event.room };
        let before = Position(event.position.0 - 1);
        let until = self.store.head().max(event.position);
        let unread = self.unread.events(reader, before, until).await?;
        let is_there = unread.iter().any(|(_, unread)| *unread == event.sn);
        Ok(is_there && self.view.may_see(Reader { user, device: NO_DEVICE }, event).await?)
    }

    async fn walk(
        &self,
        user: UserSn,
        user_id: &UserId,
        before: Option<Token>,
    ) -> Result<Walk, StorageError> {
        let until = before.map_or(self.store.head(), |before| before.position);
        let rooms = self.store.rooms_of_user(user).await?.all();
        let joined: Vec<RoomSn> =
            rooms.iter().filter(|(_, member)| member.is_joined()).map(|(room, _)| *room).collect();
        let mut walk = Walk::default();
        for (room, newest) in self.store.newest_positions(&joined).await? {
            let entered = self.unread.entered(&RoomReader { user, user_id, room }).await?;
            walk.rooms.insert(room, Strip { entered, events: VecDeque::new() });
            walk.next.push((newest.min(until), room));
        }
        Ok(walk)
    }
}

/// A way back through several rooms at once.
#[derive(Debug, Default)]
struct Walk {
    rooms: HashMap<RoomSn, Strip>,
    /// For each room, where its next event is, or that there is none after that.
    next: BinaryHeap<(Position, RoomSn)>,
}

#[derive(Debug)]
struct Strip {
    /// Where the user came in.
    entered: Position,
    /// What was read and not looked at, newest first.
    events: VecDeque<Arc<StoredEvent>>,
}

impl Walk {
    /// The newest event that was not looked at yet.
    async fn next(&mut self, store: &Store) -> Result<Option<Arc<StoredEvent>>, StorageError> {
        while let Some((position, room)) = self.next.pop() {
            let Some(strip) = self.rooms.get_mut(&room) else { continue };
            let Some(event) = strip.events.pop_front() else {
                let read = store.timeline(room, strip.entered, position, Direction::Backward, CHUNK).await?;
                strip.events = read.into();
                if let Some(newest) = strip.events.front() {
                    self.next.push((newest.position, room));
                }
                continue;
            };
            let behind = strip.events.front().map(|event| event.position);
            self.next.push((behind.unwrap_or(Position(event.position.0 - 1)), room));
            return Ok(Some(event));
        }
        Ok(None)
    }
}
