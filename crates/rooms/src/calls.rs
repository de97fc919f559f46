//! Calls from one app straight to another, which an organisation may not want: the apps tell each other the addresses
//! of their machines in them. Calls through the organisation's own media server are other events.

use crate::{RoomError, Rooms};

/// The events of such calls that hold addresses.
/// <https://spec.matrix.org/v1.19/client-server-api/#voice-over-ip>
const REVEALING: [&str; 4] = ["m.call.invite", "m.call.answer", "m.call.candidates", "m.call.negotiate"];

impl Rooms {
    /// Refuses an event by which a person's app tells its addresses to others, where the organisation does not
    /// want that. What is encrypted cannot be told apart, and goes through.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`].
    pub fn refuse_call_between_apps(&self, kind: &str) -> Result<(), RoomError> {
        if !self.settings.calls_between_apps && REVEALING.contains(&kind) {
            return Err(RoomError::Forbidden(
                "Calls go through the organisation's media server here: start a group call instead."
                    .to_owned(),
            ));
        }
        Ok(())
    }
}
