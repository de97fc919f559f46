//! Reading a room's state: by those who may, as of when they may.

use std::{collections::BTreeSet, sync::Arc};

use parvis_dag::HistoryVisibility;
use parvis_events::Membership;
use parvis_storage::{Position, RoomSn, StateRoot, StoredEvent, UserSn};
use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use serde::Deserialize;

use crate::{Actor, RoomError, Rooms};

/// Among how many of its first events a room has its first member.
const FIRST_EVENTS: u32 = 20;

impl Rooms {
    /// The state that a user may read: the current one for members, the one at their departure for those who
    /// have left, the current one for everybody if the room is world-readable.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`].
    pub async fn readable_root(&self, user: UserSn, room: RoomSn) -> Result<StateRoot, RoomError> {
        let head = self.store.room_head(room).await?.ok_or(RoomError::UnknownRoom)?;
        let member = self.store.member(user, room).await?;
        if member.is_some_and(|member| member.membership == Membership::Join) {
            return Ok(head.state_root);
        }
        if self.is_world_readable(room, head.state_root).await? {
            return Ok(head.state_root);
        }
        match member.filter(|member| !member.forgotten) {
            Some(member) if matches!(member.membership, Membership::Leave | Membership::Ban) => {
                let event = self.store.event(member.event).await?;
                match self.was_joined_before(&event).await? {
                    true => Ok(event.room_root),
                    false => Err(RoomError::forbidden("you were never in this room")),
                }
            }
            _ => Err(RoomError::forbidden("you are not in this room")),
        }
    }

    /// Whether the user whose departure this is had been joined right before it.
    async fn was_joined_before(&self, departure: &StoredEvent) -> Result<bool, RoomError> {
        let key = departure.pdu.state_key().unwrap_or_default();
        let before =
            self.store.state_event(departure.room, departure.state_root, "m.room.member", key).await?;
        let membership = before.and_then(|event| event.pdu.membership());
        // Somebody who was kicked and then banned has left twice; the first departure is the one that counts,
        // and what could be seen there is no more than what can be seen here.
        Ok(matches!(membership, Some(Membership::Join | Membership::Leave | Membership::Ban)))
    }

    async fn is_world_readable(&self, room: RoomSn, root: StateRoot) -> Result<bool, RoomError> {
        let event = self.store.state_event(room, root, "m.room.history_visibility", "").await?;
        let visibility = HistoryVisibility::of(event.as_ref().map(|event| &event.pdu));
        Ok(visibility == HistoryVisibility::WorldReadable)
    }

    /// All of a room's state that the actor may read.
    pub async fn state(&self, actor: &Actor, room_id: &RoomId) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
        let room = self.find_readable(room_id).await?;
        let root = self.readable_root(actor.user, room).await?;
        Ok(self.store.state_events(root).await?)
    }

    /// One state event.
    ///
    /// # Errors
    /// [`RoomError::NotFound`] if there is none.
    pub async fn state_event(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        kind: &str,
        state_key: &str,
    ) -> Result<Arc<StoredEvent>, RoomError> {
        let room = self.find_readable(room_id).await?;
        let root = self.readable_root(actor.user, room).await?;
        let event = self.store.state_event(room, root, kind, state_key).await?;
        event.ok_or(RoomError::NotFound("there is no such state"))
    }

    /// The membership events of a room, as of now or as of a position that a token named.
    pub async fn members(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        at: Option<Position>,
    ) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
        let room = self.find_readable(room_id).await?;
        let mut root = self.readable_root(actor.user, room).await?;
        if let Some(at) = at {
            let member = self.store.member(actor.user, room).await?;
            let gone = member.filter(|member| member.membership != Membership::Join);
            // Who has left sees nothing from after that.
            let until = gone.map_or(at, |member| at.min(member.position));
            root = self.store.room_root_at(room, until).await?;
            if root == StateRoot::EMPTY {
                return self.first_members(room).await;
            }
        }
        self.members_in(room, root).await
    }

    /// The membership events of a room as of when it began to have any here. A client that has the whole of a
    /// room's timeline names the place before its first event, and wants to know who was there at that time.
    async fn first_members(&self, room: RoomSn) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
        for root in self.store.first_room_roots(room, FIRST_EVENTS).await? {
            let members = self.members_in(room, root).await?;
            if !members.is_empty() {
                return Ok(members);
            }
        }
        Ok(Vec::new())
    }

    async fn members_in(&self, room: RoomSn, root: StateRoot) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
        let Some(kind) = self.store.find_type("m.room.member").await? else { return Ok(Vec::new()) };
        let slots = self.store.slot_numbers_of_type(room, kind).await?;
        let events = self.store.state_slots(root, &slots).await?;
        Ok(self.store.events(&events).await?)
    }

    /// The membership events of those who are joined now. Only for those who are joined themselves.
    pub async fn joined_members(
        &self,
        actor: &Actor,
        room_id: &RoomId,
    ) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
        let room = self.find_readable(room_id).await?;
        self.must_be_joined(actor, room).await?;
        let mut members = self.members(actor, room_id, None).await?;
        members.retain(|event| event.pdu.membership() == Some(Membership::Join));
        Ok(members)
    }

    pub(crate) async fn must_be_joined(&self, actor: &Actor, room: RoomSn) -> Result<(), RoomError> {
        let member = self.store.member(actor.user, room).await?;
        if member.is_some_and(|member| member.membership == Membership::Join) {
            return Ok(());
        }
        Err(RoomError::forbidden("you are not in this room"))
    }

    /// The number of a room for reading: whether a room exists is not told to those who are not in it.
    pub(crate) async fn find_readable(&self, room_id: &RoomId) -> Result<RoomSn, RoomError> {
        let found = self.store.room_sn(room_id).await?;
        found.ok_or_else(|| RoomError::forbidden("you are not in this room"))
    }
}

impl Rooms {
    /// The state at some point of a room, as shown beside events: all of it, or for a client that loads
    /// members lazily all but the memberships of those who do not matter.
    pub async fn state_at(
        &self,
        room: RoomSn,
        root: StateRoot,
        only_members: Option<&BTreeSet<OwnedUserId>>,
    ) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
        let Some(users) = only_members else { return Ok(self.store.state_events(root).await?) };
        let mut events = self.store.state_events_but_members(room, root).await?;
        events.extend(self.member_events(room, root, users).await?);
        Ok(events)
    }

    /// The membership events of some users at some point of a room.
    pub async fn member_events(
        &self,
        room: RoomSn,
        root: StateRoot,
        users: &BTreeSet<OwnedUserId>,
    ) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
        let Some(kind) = self.store.find_type("m.room.member").await? else { return Ok(Vec::new()) };
        let mut slots = Vec::with_capacity(users.len());
        for user in users {
            slots.extend(self.store.slot(room, kind, user.as_str()).await?);
        }
        let events = self.store.state_slots(root, &slots).await?;
        Ok(self.store.events(&events).await?)
    }

    /// The room whose place a room has taken, as its creation event says.
    pub async fn predecessor(&self, room_id: &RoomId) -> Result<Option<OwnedRoomId>, RoomError> {
        #[derive(Deserialize)]
        struct Creation {
            predecessor: Option<Predecessor>,
        }
        #[derive(Deserialize)]
        struct Predecessor {
            room_id: OwnedRoomId,
        }
        let room = self.find(room_id).await?;
        let head = self.store.room_head(room).await?.ok_or(RoomError::UnknownRoom)?;
        let creation = self.store.state_event(room, head.state_root, "m.room.create", "").await?;
        let content = creation.and_then(|creation| creation.pdu.content_as::<Creation>().ok());
        Ok(content.and_then(|content| content.predecessor).map(|predecessor| predecessor.room_id))
    }

    /// The users of this server who are joined to a room.
    pub async fn local_members(&self, room_id: &RoomId) -> Result<Vec<(UserSn, OwnedUserId)>, RoomError> {
        let room = self.find(room_id).await?;
        let joined = self.store.members_of_room(room).await?.joined();
        let user_ids = self.store.user_ids(&joined).await?;
        let members = joined.into_iter().zip(user_ids);
        Ok(members.filter(|member| member.1.server_name() == self.identity.server_name).collect())
    }
}
