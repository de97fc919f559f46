//! What concerns an application service: its users, who they share rooms with, and rooms and aliases by name.

use std::{collections::HashMap, sync::Arc};

use parvis_application_services::ApplicationService;
use parvis_events::Membership;
use parvis_storage::{Position, RoomSn, StorageError, Store, StoredEvent, UserSn};
use ruma::{OwnedUserId, UserId};

/// Of how many rooms it is remembered whether one of the service's users is in them.
const MOST_ROOMS: usize = 10_000;

/// What concerns one service. What it has found out of rooms it remembers for as long as it holds.
pub(super) struct Interest {
    store: Store,
    service: Arc<ApplicationService>,
    /// Whether one of the service's users is in a room, as of its last change of membership.
    members: HashMap<RoomSn, (Option<Position>, bool)>,
    /// The same for this batch: whether the service cares for the room by its name or an alias.
    names: HashMap<RoomSn, bool>,
    /// For this batch: the service's users who were ever in a room.
    former: HashMap<RoomSn, Arc<Vec<Former>>>,
}

/// One of the service's users who was in a room once, and may be.
struct Former {
    user_id: OwnedUserId,
    is_joined: bool,
    changed: Position,
}

impl Interest {
    pub(super) fn new(store: Store, service: Arc<ApplicationService>) -> Self {
        let (members, names, former) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { store, service, members, names, former }
    }

    /// Begins anew with what can change without a change of membership.
    pub(super) fn begin(&mut self) {
        self.names.clear();
        self.former.clear();
        if self.members.len() > MOST_ROOMS {
            self.members.clear();
        }
    }

    /// Whether an event concerns the service: by who sent it, whose membership it is, the room, or who was in the room.
    pub(super) async fn has_event(&mut self, event: &StoredEvent) -> Result<bool, StorageError> {
        let cares =
            |user: &str| <&UserId>::try_from(user).is_ok_and(|user| self.service.cares_for_user(user));
        if self.service.cares_for_user(event.pdu.sender()) {
            return Ok(true);
        }
        if event.pdu.kind() == "m.room.member" && event.pdu.state_key().is_some_and(cares) {
            return Ok(true);
        }
        if self.has_name(event.room).await? {
            return Ok(true);
        }
        let (changed, is_inside) = self.inside(event.room).await?;
        if changed.is_none_or(|changed| changed <= event.position) {
            return Ok(is_inside);
        }
        self.was_inside(event).await
    }

    /// Whether a room concerns the service now.
    pub(super) async fn has_room(&mut self, room: RoomSn) -> Result<bool, StorageError> {
        Ok(self.has_name(room).await? || self.inside(room).await?.1)
    }

    /// Whether a user is one of the service's, or shares a room with it.
    pub(super) async fn has_user(&mut self, user: UserSn, user_id: &UserId) -> Result<bool, StorageError> {
        if self.service.cares_for_user(user_id) {
            return Ok(true);
        }
        for (room, member) in self.store.rooms_of_user(user).await?.all() {
            if member.membership == Membership::Join && self.has_room(room).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn has_name(&mut self, room: RoomSn) -> Result<bool, StorageError> {
        if let Some(known) = self.names.get(&room) {
            return Ok(*known);
        }
        let registration = self.service.registration();
        let mut has =
            !registration.rooms.is_empty() && self.service.cares_for_room(&self.store.room_id(room).await?);
        if !has && !registration.aliases.is_empty() {
            let aliases = self.store.aliases_of_room(room).await?;
            has = aliases.iter().any(|alias| self.service.cares_for_alias(alias));
        }
        self.names.insert(room, has);
        Ok(has)
    }

    /// Whether one of the service's users is in a room now, and where a membership changed last.
    async fn inside(&mut self, room: RoomSn) -> Result<(Option<Position>, bool), StorageError> {
        let members = self.store.members_of_room(room).await?;
        // Before the members are looked at: what changes meanwhile is looked at again.
        let changed = members.last_change();
        if let Some(known) = self.members.get(&room).filter(|known| known.0 == changed) {
            return Ok(*known);
        }
        let joined = self.store.user_ids(&members.joined()).await?;
        let inside = joined.iter().any(|user| self.service.cares_for_user(user));
        self.members.insert(room, (changed, inside));
        Ok((changed, inside))
    }

    /// Whether one of the service's users was in the room at an event since which memberships have changed.
    async fn was_inside(&mut self, event: &StoredEvent) -> Result<bool, StorageError> {
        let former = self.former(event.room).await?;
        if former.iter().any(|user| user.is_joined && user.changed <= event.position) {
            return Ok(true);
        }
        for user in former.iter().filter(|user| user.changed > event.position) {
            let then =
                self.store.state_event(event.room, event.state_root, "m.room.member", user.user_id.as_str());
            if then.await?.is_some_and(|member| member.pdu.membership() == Some(Membership::Join)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn former(&mut self, room: RoomSn) -> Result<Arc<Vec<Former>>, StorageError> {
        if let Some(known) = self.former.get(&room) {
            return Ok(Arc::clone(known));
        }
        let all = self.store.memberships_of_room(room).await?;
        let users: Vec<UserSn> = all.iter().map(|member| member.0).collect();
        let mut former = Vec::new();
        for (user_id, (_, membership, changed)) in self.store.user_ids(&users).await?.into_iter().zip(all) {
            if self.service.cares_for_user(&user_id) {
                former.push(Former { user_id, is_joined: membership == Membership::Join, changed });
            }
        }
        let former = Arc::new(former);
        self.former.insert(room, Arc::clone(&former));
        Ok(former)
    }
}
