//! What other servers say of their users to users of this one: typing, receipts and presence.
//!
//! Whoever calls has made sure that the server speaks of its own users, and may speak in the room.

use std::time::Duration;

use parvis_ambient::Timestamp;
use parvis_events::Membership;
use parvis_storage::{RoomSn, StorageError, UserSn};
use ruma::{OwnedUserId, RoomId, UserId, presence::PresenceState};

use super::{Inner, SyncEngine};
use crate::{presence::Shown, receipts::HeardReceipt};

/// After how long another server must say again that its user is typing.
const TYPING_BELIEVED: Duration = Duration::from_secs(60);

/// The presence of another server's user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeardPresence {
    /// Who.
    pub user_id: OwnedUserId,
    /// What the user's devices say together.
    pub state: PresenceState,
    /// The user's words about it.
    pub status_message: Option<String>,
    /// How long ago the user did something, in milliseconds.
    pub last_active_ago_millis: u64,
    /// Whether the user is doing something.
    pub currently_active: bool,
}

impl SyncEngine {
    /// Notes that another server's user is typing, or not any more. Of who is not in the room, nothing is noted.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn hear_typing(
        &self,
        room_id: &RoomId,
        user_id: &UserId,
        typing: bool,
    ) -> Result<(), StorageError> {
        let inner = &self.0;
        let Some((room, user)) = inner.joined(room_id, user_id).await? else { return Ok(()) };
        let until = typing.then(|| inner.now().plus(TYPING_BELIEVED));
        if inner.parts.typing.set(room, user, until) {
            inner.teller.typing(room, user, typing);
            inner.wake_room(room).await?;
        }
        inner.nudge.notify_one();
        Ok(())
    }

    /// Moves a receipt of another server's user forward. One that speaks of an event which is not here yet waits
    /// for it for a while.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn hear_receipt(&self, heard: HeardReceipt) -> Result<(), StorageError> {
        let inner = &self.0;
        let Some((room, user)) = inner.joined(&heard.room_id, &heard.user_id).await? else { return Ok(()) };
        inner.receipts.hear(room, user, heard).await
    }

    /// Notes the presence of another server's user, where users of this server may know of it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn hear_presence(&self, heard: HeardPresence) -> Result<(), StorageError> {
        let inner = &self.0;
        let parts = &inner.parts;
        if !parts.presence.hears_others() {
            return Ok(());
        }
        // Nobody here knows a user who is in no room here.
        let Some(user) = parts.store.find_user(&heard.user_id).await? else { return Ok(()) };
        let rooms = parts.store.rooms_of_user(user).await?.all();
        if !rooms.iter().any(|(_, member)| member.membership == Membership::Join) {
            return Ok(());
        }
        let now = inner.now();
        let ago = i64::try_from(heard.last_active_ago_millis).unwrap_or(i64::MAX);
        let shown = Shown {
            state: heard.state,
            status_message: heard.status_message,
            currently_active: heard.currently_active,
            last_active: Some(Timestamp(now.millis().saturating_sub(ago))),
        };
        if parts.presence.hear(user, shown, now) {
            inner.tell_presence(user);
        }
        inner.nudge.notify_one();
        Ok(())
    }
}

impl Inner {
    /// The numbers of a room and of somebody who is in it.
    async fn joined(
        &self,
        room_id: &RoomId,
        user_id: &UserId,
    ) -> Result<Option<(RoomSn, UserSn)>, StorageError> {
        let store = &self.parts.store;
        let (Some(room), Some(user)) = (store.room_sn(room_id).await?, store.find_user(user_id).await?)
        else {
            return Ok(None);
        };
        let member = store.member(user, room).await?;
        Ok(member.filter(|member| member.membership == Membership::Join).map(|_| (room, user)))
    }
}
