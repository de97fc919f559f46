//! A signed event enters a room of which this server knows what the event follows.

use std::sync::Arc;

use parvis_events::Pdu;
use parvis_storage::{EventFlags, RoomSn, StoredEvent};

use crate::{RoomError, Rooms, admit::in_turn};

impl Rooms {
    /// Takes a signed event into a room; it is there afterwards, as judged. One that is there already is not
    /// taken in again.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] if the room does not accept the event.
    pub(super) async fn enter(
        &self,
        room: RoomSn,
        pdu: Pdu,
        flags: EventFlags,
    ) -> Result<Arc<StoredEvent>, RoomError> {
        self.receive_in_turn(room, &pdu, flags).await?;
        let stored = self.store.event_by_id(pdu.event_id()).await?;
        stored.ok_or(RoomError::NotFound("the event did not enter the room"))
    }

    async fn receive_in_turn(&self, room: RoomSn, pdu: &Pdu, flags: EventFlags) -> Result<(), RoomError> {
        in_turn!(self, room, |turn| { turn.receive(pdu, flags).await })
    }
}
