//! Redaction: what stays of an event when its content is taken away.
//!
//! The list of what stays differs between room versions; event ids and signatures are taken over exactly
//! that. Who may redact what is decided elsewhere. <https://spec.matrix.org/v1.19/client-server-api/#redactions>

use ruma::canonical_json::redact_in_place;

use crate::{Pdu, StoredPduError, canonical};

/// The redacted form of an event, with the same event id and signatures.
///
/// # Errors
///
/// [`StoredPduError`] where the event's JSON, trusted when it was stored, is damaged.
pub fn redact(pdu: &Pdu) -> Result<Pdu, StoredPduError> {
    let damaged = |problem: String| StoredPduError { event_id: pdu.owned_event_id().clone(), problem };
    let mut object =
        canonical::parse_object(pdu.json().as_bytes()).map_err(|error| damaged(error.to_string()))?;
    redact_in_place(&mut object, &pdu.version().rules().redaction, None)
        .map_err(|error| damaged(error.to_string()))?;
    Pdu::from_stored(
        pdu.owned_event_id().clone(),
        pdu.owned_room_id().clone(),
        pdu.version(),
        canonical::to_text(&object),
    )
}
