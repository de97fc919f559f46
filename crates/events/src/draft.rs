//! Making an event of our own: from a draft to a signed [`Pdu`] in one pass.
//!
//! This is the path of every message that a local user sends. The content is parsed once and serialised
//! once; hash, signature and event id are taken over texts put together around it, in which the keys
//! already stand in canonical order. Does not know whether the event is allowed.

use std::sync::{Arc, OnceLock};

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde_json::value::RawValue;

use crate::{
    FormatError, MAX_AUTH_EVENTS, MAX_DEPTH, MAX_PREV_EVENTS, Pdu, RoomVersion, ServerKey,
    canonical::{self, CanonicalJsonObject, CanonicalJsonValue, write_string, write_value},
    format::{check_count, check_event_bytes, check_field_bytes},
    hash::{event_id, room_id_of_create, sha256_base64},
    pdu::Inner,
    redaction::redacted_content,
};

/// An event that a local user is about to send.
#[derive(Debug, Clone)]
pub struct EventDraft {
    /// The room. `None` exactly for the create event of a room whose id is that event's hash.
    pub room_id: Option<OwnedRoomId>,
    /// The local user who sends the event; its server name signs.
    pub sender: OwnedUserId,
    /// The event's `type`.
    pub kind: String,
    /// The state key, of state events.
    pub state_key: Option<String>,
    /// The content: a JSON object.
    pub content: Box<RawValue>,
    /// The target of a redaction. It is written where the room version has it.
    pub redacts: Option<OwnedEventId>,
    /// The events that this one follows, at most 20.
    pub prev_events: Vec<OwnedEventId>,
    /// The events by which this one is authorised, at most 10.
    pub auth_events: Vec<OwnedEventId>,
    /// One more than the greatest depth among `prev_events`; capped here.
    pub depth: i64,
    /// The time of sending, in milliseconds since 1970.
    pub origin_server_ts: i64,
}

impl EventDraft {
    /// Makes the event: canonical content, content hash, signature in the name of the sender's server, and
    /// event id.
    ///
    /// # Errors
    ///
    /// [`FormatError`] where the content is not canonical JSON or something is too large. Nothing that a
    /// client sends makes this fail otherwise.
    pub fn sign(self, version: RoomVersion, key: &ServerKey) -> Result<Pdu, FormatError> {
        self.check_fields(version)?;
        let content = self.canonical_content(version)?;
        let depth = self.depth.clamp(0, MAX_DEPTH);
        let layout = Layout { draft: &self, version, depth };

        let hash = sha256_base64(&layout.write(&content.full, None, None, Redacts::Written).text);

        // The signature and the event id are taken over the same text: redacted, without signatures.
        let bare = layout.write(&content.redacted, Some(&hash), None, Redacts::Omitted).text;
        let signature = key.sign_bytes(&bare);
        let event_id = event_id(version, &bare);

        let signature = Signature { server: self.sender.server_name().as_str(), key, signature: &signature };
        let written = layout.write(&content.full, Some(&hash), Some(signature), Redacts::Written);
        check_event_bytes(written.text.len())?;
        Ok(self.into_pdu(version, event_id, depth, written))
    }

    fn check_fields(&self, version: RoomVersion) -> Result<(), FormatError> {
        check_field_bytes("type", &self.kind)?;
        check_field_bytes("sender", self.sender.as_str())?;
        check_field_bytes("state_key", self.state_key.as_deref().unwrap_or_default())?;
        check_count("prev_events", self.prev_events.len(), MAX_PREV_EVENTS)?;
        check_count("auth_events", self.auth_events.len(), MAX_AUTH_EVENTS)?;
        let derives_room_id = version.room_id_is_create_hash() && self.kind == "m.room.create";
        match &self.room_id {
            Some(_) if derives_room_id => {
                Err(FormatError::field("room_id", "a create event of this room version has none"))
            }
            Some(room_id) => check_field_bytes("room_id", room_id.as_str()),
            None if derives_room_id => Ok(()),
            None => Err(FormatError::field("room_id", "is missing")),
        }
    }

    /// The texts of the content, in full and as it is after a redaction.
    fn canonical_content(&self, version: RoomVersion) -> Result<ContentTexts, FormatError> {
        let mut content = canonical::parse_raw_object(&self.content)?;
        if version.redacts_in_content()
            && let Some(target) = &self.redacts
        {
            content.insert("redacts".to_owned(), CanonicalJsonValue::String(target.to_string()));
        }
        let redacted = redacted_content(&content, &self.kind, version);
        Ok(ContentTexts { full: to_bytes(&content), redacted: to_bytes(&redacted) })
    }

    fn into_pdu(self, version: RoomVersion, event_id: OwnedEventId, depth: i64, written: Written) -> Pdu {
        let room_id = self.room_id.unwrap_or_else(|| room_id_of_create(&event_id));
        let redacts = self.redacts.filter(|_| self.kind == "m.room.redaction");
        Pdu::assemble(Inner {
            event_id,
            room_id,
            version,
            json: Arc::from(canonical::into_string(written.text)),
            content: written.content,
            sender: self.sender,
            kind: self.kind.into(),
            state_key: self.state_key.map(Into::into),
            redacts,
            origin_server_ts: self.origin_server_ts,
            depth,
            prev_events: self.prev_events.into(),
            auth_events: self.auth_events.into(),
            event_type: OnceLock::new(),
            client_form: OnceLock::new(),
            memo: OnceLock::new(),
        })
    }
}

struct ContentTexts {
    full: Vec<u8>,
    redacted: Vec<u8>,
}

fn to_bytes(object: &CanonicalJsonObject) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_value(&mut out, object);
    out
}

struct Signature<'a> {
    server: &'a str,
    key: &'a ServerKey,
    signature: &'a str,
}

#[derive(PartialEq)]
enum Redacts {
    Written,
    Omitted,
}

struct Written {
    text: Vec<u8>,
    content: std::ops::Range<usize>,
}

/// The fixed order of an event's keys, around its content.
struct Layout<'a> {
    draft: &'a EventDraft,
    version: RoomVersion,
    depth: i64,
}

impl Layout<'_> {
    /// Writes the event in canonical form. The keys below stand in the order of their code points; a new
    /// one must be put in its place.
    fn write(
        &self,
        content: &[u8],
        hash: Option<&str>,
        signature: Option<Signature<'_>>,
        redacts: Redacts,
    ) -> Written {
        let draft = self.draft;
        let mut out = Vec::with_capacity(content.len() + 1024);
        out.extend_from_slice(b"{\"auth_events\":");
        write_value(&mut out, &draft.auth_events);
        out.extend_from_slice(b",\"content\":");
        let start = out.len();
        out.extend_from_slice(content);
        let content = start..out.len();
        out.extend_from_slice(b",\"depth\":");
        write_value(&mut out, &self.depth);
        if let Some(hash) = hash {
            out.extend_from_slice(b",\"hashes\":{\"sha256\":");
            write_string(&mut out, hash);
            out.push(b'}');
        }
        out.extend_from_slice(b",\"origin_server_ts\":");
        write_value(&mut out, &draft.origin_server_ts);
        out.extend_from_slice(b",\"prev_events\":");
        write_value(&mut out, &draft.prev_events);
        if redacts == Redacts::Written
            && !self.version.redacts_in_content()
            && let Some(target) = &draft.redacts
        {
            write_field(&mut out, "redacts", target.as_str());
        }
        if let Some(room_id) = &draft.room_id {
            write_field(&mut out, "room_id", room_id.as_str());
        }
        write_field(&mut out, "sender", draft.sender.as_str());
        if let Some(Signature { server, key, signature }) = signature {
            out.extend_from_slice(b",\"signatures\":{");
            write_string(&mut out, server);
            out.extend_from_slice(b":{");
            write_string(&mut out, key.key_id());
            out.push(b':');
            write_string(&mut out, signature);
            out.extend_from_slice(b"}}");
        }
        if let Some(state_key) = &draft.state_key {
            write_field(&mut out, "state_key", state_key);
        }
        write_field(&mut out, "type", &draft.kind);
        out.push(b'}');
        Written { text: out, content }
    }
}

fn write_field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b',');
    write_string(out, name);
    out.push(b':');
    write_string(out, value);
}
