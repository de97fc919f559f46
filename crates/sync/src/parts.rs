//! What every kind of sync is put together from.

use parvis_ambient::{Ambient, Timestamp};
use parvis_cache::Cache;
use parvis_events::Membership;
use parvis_storage::{
    EventSn, Member, Position, RoomSn, StateRoot, StorageError, Store, StoredEvent, UserSn,
};
use ruma::UserId;

use crate::{
    ephemeral::Counter,
    lazy::LazyMemory,
    presence::{Presence, PresenceMode},
    typing::Typing,
    unread::Unread,
    view::View,
};

/// How many (room, position) pairs are remembered with their state.
const ROOTS: u64 = 50_000;

/// The store, what readers see of it, and what is remembered for them.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) store: Store,
    ambient: Ambient,
    pub(crate) view: View,
    pub(crate) lazy: LazyMemory,
    pub(crate) unread: Unread,
    pub(crate) counter: Counter,
    pub(crate) typing: Typing,
    pub(crate) presence: Presence,
    roots: Cache<(RoomSn, Position), StateRoot>,
}

impl Parts {
    /// The parts of one run of the server.
    pub(crate) fn new(store: Store, view: View, ambient: Ambient, run: u32, presence: PresenceMode) -> Self {
        let counter = Counter::new(run);
        Self {
            unread: Unread::new(store.clone(), view.clone()),
            lazy: LazyMemory::default(),
            typing: Typing::new(counter.clone()),
            presence: Presence::new(presence, counter.clone()),
            roots: Cache::new(ROOTS),
            ambient,
            counter,
            store,
            view,
        }
    }

    /// The present time.
    pub(crate) fn now(&self) -> Timestamp {
        self.ambient.now()
    }

    /// Whether two users are in a room together.
    pub(crate) async fn share_a_room(&self, one: UserSn, other: UserSn) -> Result<bool, StorageError> {
        let rooms = self.store.rooms_of_user(other).await?;
        let joined =
            |member: Option<Member>| member.is_some_and(|member| member.membership == Membership::Join);
        let of_one = self.store.rooms_of_user(one).await?.all();
        Ok(of_one.into_iter().any(|(room, member)| joined(Some(member)) && joined(rooms.get(room))))
    }

    /// A room's state as it was at a position that is visible. What has been stays as it was, so it is asked
    /// for once.
    pub(crate) async fn root_at(&self, room: RoomSn, position: Position) -> Result<StateRoot, StorageError> {
        if let Some(root) = self.roots.get(&(room, position)) {
            return Ok(root);
        }
        let root = self.store.room_root_at(room, position).await?;
        self.roots.insert((room, position), root);
        Ok(root)
    }

    /// A user's membership event in a state.
    pub(crate) async fn member_in(
        &self,
        room: RoomSn,
        root: StateRoot,
        user_id: &UserId,
    ) -> Result<Option<EventSn>, StorageError> {
        let Some(kind) = self.store.find_type("m.room.member").await? else { return Ok(None) };
        let Some(slot) = self.store.slot(room, kind, user_id.as_str()).await? else { return Ok(None) };
        self.store.state_slot(root, slot).await
    }

    /// Whether a user was joined to a room at a position.
    pub(crate) async fn was_joined(
        &self,
        room: RoomSn,
        position: Position,
        user_id: &UserId,
    ) -> Result<bool, StorageError> {
        let root = self.root_at(room, position).await?;
        let Some(member) = self.member_in(room, root, user_id).await? else { return Ok(false) };
        Ok(self.store.event(member).await?.pdu.membership() == Some(Membership::Join))
    }

    /// The rooms of a user as they were at a position. Memory may already know of later changes.
    pub(crate) async fn memberships_at(
        &self,
        user: UserSn,
        user_id: &UserId,
        until: Position,
    ) -> Result<Vec<(RoomSn, Member)>, StorageError> {
        let rooms = self.store.rooms_of_user(user).await?.all();
        self.as_of(rooms, user_id, until).await
    }

    /// Memberships that memory knows, as they were at a position. Of who had none then, nothing is left.
    pub(crate) async fn as_of(
        &self,
        mut rooms: Vec<(RoomSn, Member)>,
        user_id: &UserId,
        until: Position,
    ) -> Result<Vec<(RoomSn, Member)>, StorageError> {
        for index in (0..rooms.len()).rev() {
            let (room, member) = rooms[index];
            if member.position <= until {
                continue;
            }
            match self.membership_event_at(room, until, user_id).await? {
                Some(event) => rooms[index].1 = given_by(&event),
                None => drop(rooms.swap_remove(index)),
            }
        }
        Ok(rooms)
    }

    async fn membership_event_at(
        &self,
        room: RoomSn,
        until: Position,
        user_id: &UserId,
    ) -> Result<Option<std::sync::Arc<StoredEvent>>, StorageError> {
        let root = self.root_at(room, until).await?;
        match self.member_in(room, root, user_id).await? {
            Some(event) => self.store.event(event).await.map(Some),
            None => Ok(None),
        }
    }
}

/// The membership that an event gave.
fn given_by(event: &StoredEvent) -> Member {
    Member {
        membership: event.pdu.membership().unwrap_or(Membership::Leave),
        event: event.sn,
        forgotten: false,
        position: event.position,
    }
}
