//! What a client says of its user to others: typing, receipts and presence.

use std::{sync::Arc, time::Duration};

use parvis_events::Membership;
use parvis_storage::StorageError;
use ruma::{OwnedEventId, RoomId, UserId, presence::PresenceState};

use super::{Inner, SyncEngine};
use crate::{
    answer::PresenceUpdate,
    receipts::{ReadMark, ReceiptError},
    view::Reader,
};

/// For how long a client may say at once that its user is typing.
const LONGEST_TYPING: Duration = Duration::from_secs(120);

/// Why nobody is told that a user is typing.
#[derive(Debug, thiserror::Error)]
pub enum TypingError {
    /// The user is not in the room.
    #[error("you are not in this room")]
    NotJoined,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why somebody's presence is not told.
#[derive(Debug, thiserror::Error)]
pub enum PresenceError {
    /// There is no such user, or one with whom the reader shares no room.
    #[error("you share no room with this user")]
    Stranger,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl SyncEngine {
    /// Notes that a user is typing for a while, or not any more.
    ///
    /// # Errors
    /// Any [`TypingError`].
    pub async fn set_typing(
        &self,
        reader: Reader,
        room_id: &RoomId,
        typing_for: Option<Duration>,
    ) -> Result<(), TypingError> {
        let inner = &self.0;
        let store = &inner.parts.store;
        let room = store.room_sn(room_id).await?.ok_or(TypingError::NotJoined)?;
        let member = store.member(reader.user, room).await?;
        if member.is_none_or(|member| member.membership != Membership::Join) {
            return Err(TypingError::NotJoined);
        }
        let typing_for = typing_for.filter(|typing_for| !typing_for.is_zero());
        let until = typing_for.map(|typing_for| inner.now().plus(typing_for.min(LONGEST_TYPING)));
        inner.note_activity(reader);
        let changed = inner.parts.typing.set(room, reader.user, until);
        if changed || until.is_some() {
            inner.teller.typing(room, reader.user, until.is_some());
        }
        if changed {
            inner.wake_room(room).await?;
        }
        inner.nudge.notify_one();
        Ok(())
    }

    /// Moves what a user has read of a room forward. Marks that lie behind what was said before change nothing;
    /// either all of the others move, or none.
    ///
    /// # Errors
    /// Any [`ReceiptError`].
    pub async fn mark_read(
        &self,
        reader: Reader,
        room_id: &RoomId,
        marks: &[(ReadMark, OwnedEventId)],
    ) -> Result<(), ReceiptError> {
        self.0.note_activity(reader);
        self.0.receipts.mark_read(reader, room_id, marks).await
    }

    /// Sets what a device says of its user's presence.
    pub fn set_presence(&self, reader: Reader, state: &PresenceState, status_message: Option<String>) {
        let inner = &self.0;
        let now = inner.now();
        if inner.parts.presence.set(reader.user, reader.device, state, status_message, now) {
            inner.tell_presence(reader.user);
        }
        inner.nudge.notify_one();
    }

    /// A user's presence, for themselves and for those who share a room with them.
    ///
    /// # Errors
    /// Any [`PresenceError`].
    pub async fn presence_of(
        &self,
        reader: Reader,
        user_id: &UserId,
    ) -> Result<PresenceUpdate, PresenceError> {
        let parts = &self.0.parts;
        let user = parts.store.find_user(user_id).await?.ok_or(PresenceError::Stranger)?;
        if user != reader.user && !parts.share_a_room(reader.user, user).await? {
            return Err(PresenceError::Stranger);
        }
        let shown = parts.presence.of(user).unwrap_or_default();
        Ok(parts.presence_update(user_id.to_owned(), shown))
    }
}

/// A sync that goes on. Ends for the user's presence when dropped.
pub(super) struct Attending {
    inner: Arc<Inner>,
    reader: Reader,
    says: PresenceState,
}

impl Inner {
    /// Notes that a device begins a sync, and what it says of its user.
    pub(super) fn attend(self: &Arc<Self>, reader: Reader, says: &PresenceState) -> Attending {
        if self.parts.presence.begin_sync(reader.user, reader.device, says, self.now()) {
            self.tell_presence(reader.user);
        }
        Attending { inner: Arc::clone(self), reader, says: says.clone() }
    }

    /// Notes that a user did something.
    fn note_activity(&self, reader: Reader) {
        if self.parts.presence.act(reader.user, reader.device, self.now()) {
            self.tell_presence(reader.user);
        }
    }
}

impl Drop for Attending {
    fn drop(&mut self) {
        let presence = &self.inner.parts.presence;
        if presence.is_on() {
            presence.end_sync(self.reader.user, self.reader.device, &self.says, self.inner.now());
            self.inner.nudge.notify_one();
        }
    }
}
