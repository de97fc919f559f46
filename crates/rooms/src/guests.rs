//! Guests: who only looks around, in rooms that let them
//! (<https://spec.matrix.org/v1.19/client-server-api/#guest-access>).

use parvis_policy::ClientKind;
use ruma::RoomId;
use serde::Deserialize;

use crate::{Actor, RoomError, Rooms};

/// The state event that says whether guests are let in.
pub(crate) const GUEST_ACCESS: &str = "m.room.guest_access";

#[derive(Deserialize)]
struct Content {
    guest_access: String,
}

impl Rooms {
    /// Returns if guests may join a room. Only one that this server is in is known to let them.
    ///
    /// # Errors
    /// [`RoomError::NoGuests`].
    pub async fn must_let_guests_in(&self, room_id: &RoomId) -> Result<(), RoomError> {
        let Some(room) = self.residence(room_id).await? else { return Err(RoomError::NoGuests) };
        let head = self.store.room_head(room).await?.ok_or(RoomError::UnknownRoom)?;
        let event = self.store.state_event(room, head.state_root, GUEST_ACCESS, "").await?;
        let content = event.and_then(|event| event.pdu.content_as::<Content>().ok());
        match content {
            Some(content) if content.guest_access == "can_join" => Ok(()),
            _ => Err(RoomError::NoGuests),
        }
    }

    /// Has this server's guests leave a room that lets guests in no more. Goes on past those who cannot.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn let_guests_go(&self, room_id: &RoomId) -> Result<(), RoomError> {
        if self.must_let_guests_in(room_id).await.is_ok() {
            return Ok(());
        }
        let room = self.find(room_id).await?;
        for (user, user_id) in self.local_members(room_id).await? {
            if !self.store.account(user).await?.is_some_and(|account| account.guest) {
                continue;
            }
            let guest = Actor::new(user, user_id, None, ClientKind::of_user_agent(None));
            if let Err(error) = self.leave(&guest, room, None).await {
                tracing::warn!(room = room.0, %error, "a guest could not leave a room");
            }
        }
        Ok(())
    }
}
