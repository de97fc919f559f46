//! The two hashes of an event: of its content, by which tampering shows, and of what redaction leaves, which
//! is its id.
//!
//! Three different things are stripped for three purposes: the content hash covers all but `hashes`,
//! `signatures` and `unsigned`; the signature and the event id cover the redacted event without `signatures`
//! and `unsigned`. <https://spec.matrix.org/v1.19/server-server-api/#signing-events>

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use ruma::{EventId, OwnedEventId, OwnedRoomId};
use sha2::{Digest, Sha256};

use crate::{
    RoomVersion,
    canonical::{self, CanonicalJsonObject, write_value},
    redaction::redacted_event,
};

/// The hash of a text in unpadded base64.
pub(crate) fn sha256_base64(text: &[u8]) -> String {
    STANDARD_NO_PAD.encode(Sha256::digest(text))
}

/// The content hash of an event.
pub(crate) fn content_hash(object: &CanonicalJsonObject) -> String {
    let covered =
        object.iter().filter(|(key, _)| !matches!(key.as_str(), "hashes" | "signatures" | "unsigned"));
    let covered: std::collections::BTreeMap<_, _> = covered.collect();
    let mut text = Vec::with_capacity(1024);
    write_value(&mut text, &covered);
    sha256_base64(&text)
}

/// The text that an event's signatures and its id are taken over.
pub(crate) fn signed_text(object: &CanonicalJsonObject, version: RoomVersion) -> String {
    let mut redacted = redacted_event(object, version);
    redacted.remove("signatures");
    canonical::to_text(&redacted)
}

/// The event id that a [`signed_text`] gives.
pub(crate) fn event_id(version: RoomVersion, signed_text: &[u8]) -> OwnedEventId {
    let hash = Sha256::digest(signed_text);
    let alphabet = if version.url_safe_event_ids() { URL_SAFE_NO_PAD } else { STANDARD_NO_PAD };
    let id = format!("${}", alphabet.encode(hash));
    OwnedEventId::try_from(id).unwrap_or_else(|_| unreachable!("a hash makes an event id"))
}

/// The room id of the room that the create event of this id made.
pub(crate) fn room_id_of_create(event_id: &EventId) -> OwnedRoomId {
    let id = format!("!{}", event_id.as_str().trim_start_matches('$'));
    OwnedRoomId::try_from(id).unwrap_or_else(|_| unreachable!("a hash makes a room id"))
}
