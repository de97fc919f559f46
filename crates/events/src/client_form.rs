//! The form of an event that clients see, made once and shared by everyone who sends it.
//!
//! What differs between readers (`unsigned`, and whether `room_id` is written) is added while writing. Does
//! not know which relations, memberships or transaction ids belong there: those are given.

use std::{fmt, sync::Arc};

use ruma::{EventId, RoomId, UserId};
use serde_json::value::RawValue;

use crate::canonical::{self, CanonicalJsonValue, write_string, write_value};

/// The text of a client event without `room_id`, without `unsigned` and without the closing brace.
///
/// Complete it with [`write_client_event`].
#[derive(Clone)]
pub struct ClientForm(Arc<str>);

/// The fields of an event that clients see.
pub(crate) struct ClientFields<'a> {
    pub(crate) content: &'a str,
    pub(crate) event_id: &'a EventId,
    pub(crate) origin_server_ts: i64,
    pub(crate) redacts: Option<&'a EventId>,
    /// Whether `content` names the target of a redaction already.
    pub(crate) redacts_in_content: bool,
    pub(crate) sender: &'a UserId,
    pub(crate) state_key: Option<&'a str>,
    pub(crate) kind: &'a str,
}

impl ClientFields<'_> {
    /// The content as clients see it: a redaction names its target there in every room version.
    fn write_content(&self, out: &mut Vec<u8>) {
        if let Some(target) = self.redacts
            && !self.redacts_in_content
            && let Ok(mut content) = canonical::parse_object(self.content.as_bytes())
        {
            content.insert("redacts".to_owned(), CanonicalJsonValue::String(target.to_string()));
            write_value(out, &content);
        } else {
            out.extend_from_slice(self.content.as_bytes());
        }
    }

    /// The fields that those see who are not in the room; of a create event also when it was sent.
    pub(crate) fn stripped(&self) -> String {
        let mut out = Vec::with_capacity(self.content.len() + 192);
        out.extend_from_slice(b"{\"content\":");
        out.extend_from_slice(self.content.as_bytes());
        if self.kind == "m.room.create" {
            // Who is asked into a room may want to know how old it is; the conformance suite does.
            out.extend_from_slice(b",\"origin_server_ts\":");
            write_value(&mut out, &self.origin_server_ts);
        }
        write_text_field(&mut out, "sender", self.sender.as_str());
        write_text_field(&mut out, "state_key", self.state_key.unwrap_or_default());
        write_text_field(&mut out, "type", self.kind);
        out.push(b'}');
        canonical::into_string(out)
    }
}

impl ClientForm {
    pub(crate) fn new(fields: &ClientFields<'_>) -> Self {
        let mut out = Vec::with_capacity(fields.content.len() + 384);
        out.extend_from_slice(b"{\"content\":");
        fields.write_content(&mut out);
        write_text_field(&mut out, "event_id", fields.event_id.as_str());
        out.extend_from_slice(b",\"origin_server_ts\":");
        write_value(&mut out, &fields.origin_server_ts);
        if let Some(target) = fields.redacts {
            write_text_field(&mut out, "redacts", target.as_str());
        }
        write_text_field(&mut out, "sender", fields.sender.as_str());
        if let Some(state_key) = fields.state_key {
            write_text_field(&mut out, "state_key", state_key);
        }
        write_text_field(&mut out, "type", fields.kind);
        Self(Arc::from(canonical::into_string(out)))
    }

    /// The text, which is no complete JSON: the closing brace is missing.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientForm({} bytes)", self.0.len())
    }
}

/// The `unsigned` data of a client event. What is `None` is not written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unsigned<'a> {
    /// Milliseconds since the event was sent.
    pub age: Option<i64>,
    /// The transaction id, for the device that sent the event.
    pub transaction_id: Option<&'a str>,
    /// The content that a state event replaced.
    pub prev_content: Option<&'a RawValue>,
    /// Who had sent what a state event replaced. Clients of old look for it.
    pub prev_sender: Option<&'a UserId>,
    /// The state event that a state event replaced.
    pub replaces_state: Option<&'a EventId>,
    /// The reader's own membership at the time of the event.
    pub membership: Option<&'a str>,
    /// The redaction, of a redacted event: the complete client event, as JSON.
    pub redacted_because: Option<&'a str>,
    /// Bundled aggregations: the value of `m.relations`, a JSON object.
    pub relations: Option<&'a str>,
    /// Stripped state for an invited reader: a JSON array.
    pub invite_room_state: Option<&'a str>,
    /// Stripped state for a reader who knocked: a JSON array.
    pub knock_room_state: Option<&'a str>,
}

impl Unsigned<'_> {
    /// Appends `,"unsigned":{…}`, or nothing where there is nothing to say.
    fn write(&self, out: &mut Vec<u8>) {
        let mut object = OpenObject { out, prefix: ",\"unsigned\":{", fields: 0 };
        if let Some(age) = self.age {
            object.raw("age", &age.to_string());
        }
        if let Some(state) = self.invite_room_state {
            object.raw("invite_room_state", state);
        }
        if let Some(state) = self.knock_room_state {
            object.raw("knock_room_state", state);
        }
        if let Some(relations) = self.relations {
            object.raw("m.relations", relations);
        }
        if let Some(membership) = self.membership {
            object.string("membership", membership);
        }
        if let Some(content) = self.prev_content {
            object.raw("prev_content", content.get());
        }
        if let Some(sender) = self.prev_sender {
            object.string("prev_sender", sender.as_str());
        }
        if let Some(redaction) = self.redacted_because {
            object.raw("redacted_because", redaction);
        }
        if let Some(event_id) = self.replaces_state {
            object.string("replaces_state", event_id.as_str());
        }
        if let Some(transaction_id) = self.transaction_id {
            object.string("transaction_id", transaction_id);
        }
        object.close();
    }
}

/// An object that is only written once it has a field.
struct OpenObject<'a> {
    out: &'a mut Vec<u8>,
    prefix: &'static str,
    fields: usize,
}

impl OpenObject<'_> {
    fn key(&mut self, name: &str) {
        self.out.extend_from_slice(if self.fields == 0 { self.prefix.as_bytes() } else { b"," });
        self.fields += 1;
        write_string(self.out, name);
        self.out.push(b':');
    }

    fn raw(&mut self, name: &str, json: &str) {
        self.key(name);
        self.out.extend_from_slice(json.as_bytes());
    }

    fn string(&mut self, name: &str, value: &str) {
        self.key(name);
        write_string(self.out, value);
    }

    fn close(self) {
        if self.fields > 0 {
            self.out.push(b'}');
        }
    }
}

/// Appends a complete client event.
///
/// `room_id` is written where it is given: `/sync` leaves it out, most other endpoints want it.
pub fn write_client_event(
    out: &mut Vec<u8>,
    form: &ClientForm,
    room_id: Option<&RoomId>,
    unsigned: &Unsigned<'_>,
) {
    out.extend_from_slice(form.0.as_bytes());
    if let Some(room_id) = room_id {
        write_text_field(out, "room_id", room_id.as_str());
    }
    unsigned.write(out);
    out.push(b'}');
}

fn write_text_field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b',');
    write_string(out, name);
    out.push(b':');
    write_string(out, value);
}
