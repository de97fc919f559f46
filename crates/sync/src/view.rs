//! What a reader sees of events: which of them, and what is said about each.
//!
//! Used by every operation that gives events to a client. Does not know which events were asked for, or why.

mod dress;
mod ignored;
mod shown;
mod standing;

use std::{collections::HashSet, sync::Arc};

use parvis_ambient::Ambient;
use parvis_dag::{HistoryVisibility, InvitePermission, InviteVerdict, may_see};
use parvis_events::DUMMY_EVENT;
use parvis_storage::{DeviceSn, EventFlags, Position, RoomSn, StorageError, Store, StoredEvent, UserSn};
use ruma::{OwnedUserId, UserId};

pub use self::shown::{Relations, ShownEvent, ThreadSummary};
use self::{ignored::IgnoreLists, standing::Standings};

/// Who reads: a local user on one of their devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reader {
    /// The user.
    pub user: UserSn,
    /// The device.
    pub device: DeviceSn,
}

/// What readers see. Cheap to clone; all clones share what they remember.
#[derive(Clone, Debug)]
pub struct View {
    store: Store,
    ambient: Ambient,
    standings: Standings,
    ignored: IgnoreLists,
}

/// A reader, with what is the same for all events that they are shown at once.
#[derive(Debug)]
struct Reading {
    reader: Reader,
    user_id: OwnedUserId,
    ignored: Arc<HashSet<OwnedUserId>>,
    now_millis: i64,
}

impl View {
    /// What the readers of a store see.
    pub fn new(store: Store, ambient: Ambient) -> Self {
        Self {
            standings: Standings::new(store.clone()),
            ignored: IgnoreLists::new(store.clone()),
            store,
            ambient,
        }
    }

    /// Where events are read from.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Those of these events that the reader may see and does not ignore, in the order given, with what is
    /// said about them.
    ///
    /// Events that are in no timeline (outliers, rejected and soft-failed ones, and those not yet durable) are
    /// never seen. What users whom the reader ignores have sent is left out, save for state.
    ///
    /// The cost does not grow with the number of events when memory is warm: a look-up for each distinct state
    /// at the events; from cold, a handful of queries in all.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn show(
        &self,
        reader: Reader,
        events: &[Arc<StoredEvent>],
    ) -> Result<Vec<ShownEvent>, StorageError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let reading = self.reading(reader).await?;
        self.show_to(&reading, events.to_vec(), Bundle::Everything).await
    }

    /// As [`show`](Self::show), with nothing said about the events: where only a few of many are shown in the end.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn sift(
        &self,
        reader: Reader,
        mut events: Vec<Arc<StoredEvent>>,
    ) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        let reading = self.reading(reader).await?;
        events.retain(|event| event.pdu.is_state() || !reading.ignored.contains(event.pdu.sender()));
        let seen = self.visible(&reading, events).await?;
        Ok(seen.into_iter().map(|seen| seen.event).collect())
    }

    /// These events of a room's state for a reader who may see that state: all of them, with no more said about
    /// them than their age.
    pub fn show_state(&self, reader: Reader, events: &[Arc<StoredEvent>]) -> Vec<ShownEvent> {
        let now_millis = self.ambient.now().millis();
        events.iter().map(|event| ShownEvent::plain(event, reader.device, now_millis)).collect()
    }

    /// As [`show_state`](Self::show_state), with what each event replaced: for state that has changed.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn show_changed_state(
        &self,
        reader: Reader,
        events: &[Arc<StoredEvent>],
    ) -> Result<Vec<ShownEvent>, StorageError> {
        let mut shown = self.show_state(reader, events);
        let replaced = self.replaced(events).await?;
        for shown in &mut shown {
            shown.replaced = replaced.get(&shown.event.sn).cloned();
        }
        Ok(shown)
    }

    /// Messages that are outliers, for a reader who is in the room, where the room's history is shared with whoever is
    /// in it now: what held when they were said is not known. Nothing is said about them but their age.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn show_strays(
        &self,
        reader: Reader,
        events: &[Arc<StoredEvent>],
    ) -> Result<Vec<ShownEvent>, StorageError> {
        let reading = self.reading(reader).await?;
        let mut shown = Vec::new();
        for event in events {
            let is_stray = event.flags == EventFlags::OUTLIER && !event.pdu.is_state();
            let is_ignored = reading.ignored.contains(event.pdu.sender());
            if is_stray && !is_ignored && self.shares_history(reader.user, event.room).await? {
                shown.push(ShownEvent::plain(event, reader.device, reading.now_millis));
            }
        }
        Ok(shown)
    }

    /// Whether a user is in a room and may see everything that was said there, as the room is now.
    async fn shares_history(&self, user: UserSn, room: RoomSn) -> Result<bool, StorageError> {
        let is_in = self.store.member(user, room).await?.is_some_and(|member| member.is_joined());
        let Some(head) = self.store.room_head(room).await?.filter(|_| is_in) else { return Ok(false) };
        let event = self.store.state_event(room, head.state_root, "m.room.history_visibility", "").await?;
        let visibility = HistoryVisibility::of(event.as_ref().map(|event| &event.pdu));
        Ok(matches!(visibility, HistoryVisibility::Shared | HistoryVisibility::WorldReadable))
    }

    /// Whether the reader may see an event, were its sender ignored or not.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn may_see(&self, reader: Reader, event: &Arc<StoredEvent>) -> Result<bool, StorageError> {
        let reading = self.reading(reader).await?;
        Ok(!self.visible(&reading, vec![Arc::clone(event)]).await?.is_empty())
    }

    /// Whom a user ignores.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn ignored_by(&self, user: UserSn) -> Result<Arc<HashSet<OwnedUserId>>, StorageError> {
        self.ignored.of(user).await
    }

    /// Whether a user is shown invitations by somebody: who ignores them, or takes no invitations from them, is not.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn wants_invitation(&self, user: UserSn, inviter: &UserId) -> Result<bool, StorageError> {
        if self.ignored.of(user).await?.contains(inviter) {
            return Ok(false);
        }
        let stable = self.store.account_data(user, None, InvitePermission::TYPE).await?;
        let unstable = self.store.account_data(user, None, InvitePermission::UNSTABLE_TYPE).await?;
        if stable.is_none() && unstable.is_none() {
            return Ok(true);
        }
        let stable = stable.as_deref().map(|data| data.content.get());
        let permission = InvitePermission::of(stable, unstable.as_deref().map(|data| data.content.get()));
        Ok(permission.verdict(inviter) == InviteVerdict::Shown)
    }

    /// Where a user's last stay in a room ended: `None` where they were never in. The end of time, where they
    /// are in.
    pub(crate) async fn stay_end(
        &self,
        user: UserSn,
        room: RoomSn,
    ) -> Result<Option<Position>, StorageError> {
        let user_id = self.store.user_id(user).await?;
        let until = self.standings.joined_until(user, &user_id, room).await?;
        Ok((until != standing::NEVER).then_some(until))
    }

    async fn reading(&self, reader: Reader) -> Result<Reading, StorageError> {
        Ok(Reading {
            reader,
            user_id: self.store.user_id(reader.user).await?,
            ignored: self.ignored.of(reader.user).await?,
            now_millis: self.ambient.now().millis(),
        })
    }

    /// Leaves out what the reader may not see or does not want to.
    async fn show_to(
        &self,
        reading: &Reading,
        mut events: Vec<Arc<StoredEvent>>,
        bundle: Bundle,
    ) -> Result<Vec<ShownEvent>, StorageError> {
        events.retain(|event| event.pdu.is_state() || !reading.ignored.contains(event.pdu.sender()));
        let visible = self.visible(reading, events).await?;
        self.dress(reading, visible, bundle).await
    }

    async fn visible(
        &self,
        reading: &Reading,
        mut events: Vec<Arc<StoredEvent>>,
    ) -> Result<Vec<standing::Seen>, StorageError> {
        let has_no_effect =
            |event: &StoredEvent| event.flags.contains(EventFlags::IDLE) || event.pdu.kind() == DUMMY_EVENT;
        events.retain(|event| event.is_shown() && !has_no_effect(event));
        let mut seen = self.standings.at(reading.reader.user, &reading.user_id, events).await?;
        seen.retain(|seen| may_see(&seen.event.pdu, &reading.user_id, seen.before, seen.joined_later));
        Ok(seen)
    }
}

/// How much of an event's children goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bundle {
    /// Edits, references and threads.
    Everything,
    /// Only the newest edit: for the newest reply in a thread.
    Edit,
    /// Nothing: for the edit itself.
    Nothing,
}
