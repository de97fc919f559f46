//! Events that are known in the room, by which others are judged.

use parvis_events::Pdu;
use ruma::{EventId, OwnedEventId};

/// An event together with what was decided about it.
#[derive(Debug, Clone)]
pub struct Known {
    /// The event.
    pub pdu: Pdu,
    /// Whether it was rejected.
    pub rejected: bool,
}

impl Known {
    /// An event that was not rejected.
    pub fn accepted(pdu: Pdu) -> Self {
        Self { pdu, rejected: false }
    }

    /// An event that was rejected.
    pub fn rejected(pdu: Pdu) -> Self {
        Self { pdu, rejected: true }
    }
}

/// The create event's id, where the room id tells it.
pub(crate) fn create_event_id(pdu: &Pdu) -> Option<OwnedEventId> {
    if !pdu.version().room_id_is_create_hash() || pdu.is_create() {
        return None;
    }
    EventId::parse(format!("${}", pdu.room_id().strip_sigil())).ok()
}
