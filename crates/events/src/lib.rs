//! Events: what every other crate means by "a PDU".
//!
//! The types say how far an event is trusted. Bytes from another server are a [`RawPdu`]; one whose shape
//! and sizes are right is a [`WellFormedPdu`]; one whose hash and signatures were checked is a
//! [`SignedPdu`]; only that, or an event that we signed ourselves ([`EventDraft::sign`]) or stored before
//! ([`Pdu::from_stored`]), becomes a [`Pdu`]. A [`Pdu`] is well-formed and signed, which does not mean that
//! it is *allowed*: that is decided elsewhere, against the room.
//!
//! Also here: canonical JSON, hashes, event ids, signatures, redaction, size limits, the form of an event
//! that clients see, and [`RoomVersion`], the one table of what differs between room versions.
//!
//! This crate does no input or output, reads no clock and makes no randomness. It knows nothing of a room's
//! state, of users' rights or of storage.

mod bumping;
mod client_form;
mod content;
mod draft;
mod format;
mod hash;
mod pdu;
mod push_rules;
mod receive;
mod redaction;
mod room_version;
mod server_key;

pub mod canonical;

pub use bumping::is_bumping;
pub use client_form::{ClientForm, Unsigned, write_client_event};
pub use content::{MemberContent, Membership, RelatesTo};
pub use draft::EventDraft;
pub use format::{FormatError, MAX_AUTH_EVENTS, MAX_DEPTH, MAX_FIELD_BYTES, MAX_PDU_BYTES, MAX_PREV_EVENTS};
pub use pdu::{Pdu, SHOWN_OUTSIDE, StoredPduError, redact, stripped_state};
pub use push_rules::{current_push_rules, default_push_rules};
pub use receive::{PublicKeys, RawPdu, SignatureError, SignedPdu, WellFormedPdu};
pub use room_version::{RoomVersion, UnknownRoomVersion};
pub use server_key::{InvalidServerKey, ServerKey};

/// The type of events that bring the ends of a room together and say nothing: clients are not shown them.
pub const DUMMY_EVENT: &str = "org.matrix.dummy_event";
