//! Rooms that the user knows only from outside: invitations and knocks.
//!
//! Knows nothing of whether they are news.

use std::sync::Arc;

use parvis_events::{Membership, SHOWN_OUTSIDE, stripped_state};
use parvis_storage::{EventFlags, Member, RoomSn, StateRoot, StorageError, StoredEvent, UserSn};
use ruma::{OwnedRoomId, UserId};

use crate::{answer::StrippedRoom, parts::Parts};

impl Parts {
    /// A room to which the user is invited, or at which they have knocked. Invitations by those from whom they
    /// want none are not told.
    pub(crate) async fn stripped(
        &self,
        (user, user_id): (UserSn, &UserId),
        room_id: OwnedRoomId,
        room: RoomSn,
        member: Member,
    ) -> Result<Option<StrippedRoom>, StorageError> {
        let event = self.store.event(member.event).await?;
        if member.membership == Membership::Invite
            && !self.view.wants_invitation(user, event.pdu.sender()).await?
        {
            return Ok(None);
        }
        if event.flags.contains(EventFlags::OUTLIER) {
            return self.told_by_others(user, room_id, room, &event).await.map(Some);
        }
        let mut events = self.outside_view(user_id, room, event.state_root, &event).await?;
        events.push(event);
        let state = events.iter().map(|event| Arc::from(stripped_state(&event.pdu))).collect();
        Ok(Some(StrippedRoom { room_id, state }))
    }

    /// A room elsewhere, as its servers have shown it.
    async fn told_by_others(
        &self,
        user: UserSn,
        room_id: OwnedRoomId,
        room: RoomSn,
        own: &StoredEvent,
    ) -> Result<StrippedRoom, StorageError> {
        let view = self.store.outside_view(user, room).await?.unwrap_or_default();
        let mut state: Vec<Arc<str>> = view.state.into_iter().map(Arc::from).collect();
        state.push(Arc::from(stripped_state(&own.pdu)));
        Ok(StrippedRoom { room_id, state })
    }

    /// The state that is shown, with the membership of whoever sent the user's own.
    async fn outside_view(
        &self,
        user_id: &UserId,
        room: RoomSn,
        root: StateRoot,
        own: &StoredEvent,
    ) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        let store = &self.store;
        let mut places = Vec::with_capacity(SHOWN_OUTSIDE.len() + 1);
        let sender = (own.pdu.sender() != user_id).then(|| own.pdu.sender().as_str());
        let shown = SHOWN_OUTSIDE.iter().map(|kind| (*kind, ""));
        for (kind, state_key) in shown.chain(sender.map(|sender| ("m.room.member", sender))) {
            if let Some(kind) = store.find_type(kind).await?
                && let Some(slot) = store.slot(room, kind, state_key).await?
            {
                places.push((root, slot));
            }
        }
        let found: Vec<_> = store.slots_at(&places).await?.into_iter().flatten().collect();
        store.events(&found).await
    }
}
