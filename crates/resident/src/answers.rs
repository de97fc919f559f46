//! What the resident answers: bodies of the server-server API, made once where they are large.
//! Knows nothing of sockets.

use bytes::Bytes;
use parvis_events::{Pdu, RoomVersion, ServerKey, canonical};
use ruma::OwnedServerName;
use serde_json::{Value, json};

use crate::{
    clock,
    room::{Failure, Room},
};

/// How long the key is valid.
const KEY_VALID_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Most events in one answer to a question about history.
const HISTORY_LIMIT: usize = 100;

/// The server in its room.
pub(crate) struct Resident {
    name: OwnedServerName,
    key: ServerKey,
    room: Room,
    omit_members: bool,
    /// All events of the room as a JSON array.
    everything: Bytes,
    ground: Bytes,
}

/// An answer: its status, and its body in pieces.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<Bytes>,
}

impl Answer {
    fn json(value: &Value) -> Self {
        Self { status: 200, body: vec![Bytes::from(value.to_string())] }
    }

    fn not_found() -> Self {
        let body = json!({ "errcode": "M_NOT_FOUND", "error": "This server has one room only" });
        Self { status: 404, body: vec![Bytes::from(body.to_string())] }
    }

    fn unrecognized() -> Self {
        let body = json!({ "errcode": "M_UNRECOGNIZED", "error": "This is no homeserver" });
        Self { status: 404, body: vec![Bytes::from(body.to_string())] }
    }
}

/// A question: what follows `/_matrix/federation/` decoded into its segments, the query, and the body.
pub(crate) struct Question<'a> {
    pub(crate) method: &'a str,
    pub(crate) segments: &'a [String],
    pub(crate) query: &'a [(String, String)],
    pub(crate) body: &'a [u8],
}

impl Question<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Resident {
    /// Makes the large bodies.
    pub(crate) fn new(
        name: OwnedServerName,
        key: ServerKey,
        room: Room,
        omit_members: bool,
    ) -> Result<Self, Failure> {
        let (everything, ground) = (array(room.events()), array(room.ground()));
        Ok(Self { name, key, omit_members, everything, ground, room })
    }

    /// `GET /_matrix/key/v2/server`.
    pub(crate) fn keys(&self) -> Result<Answer, Failure> {
        let keys = json!({
            "server_name": self.name,
            "valid_until_ts": clock::epoch_ms() + KEY_VALID_MS,
            "verify_keys": { self.key.key_id(): { "key": self.key.public_key_base64() } },
            "old_verify_keys": {},
        });
        let mut object = canonical::parse_object(keys.to_string().as_bytes())?;
        self.key.sign_json(&mut object, &self.name)?;
        Ok(Answer { status: 200, body: vec![Bytes::from(canonical::to_text(&object))] })
    }

    /// Everything below `/_matrix/federation/`.
    pub(crate) fn answer(&self, question: &Question<'_>) -> Answer {
        let segments: Vec<&str> = question.segments.iter().map(String::as_str).collect();
        match (question.method, segments.as_slice()) {
            ("GET", ["v1", "version"]) => {
                Answer::json(&json!({ "server": { "name": "parvis-resident", "version": "1" } }))
            }
            ("GET", ["v1", "make_join", room, user]) if self.is_here(room) => self.make_join(user),
            ("PUT", ["v2", "send_join", room, _]) if self.is_here(room) => self.send_join(question),
            ("GET", ["v1", "state", room]) if self.is_here(room) => self.state(question),
            ("GET", ["v1", "state_ids", room]) if self.is_here(room) => self.state_ids(question),
            ("GET", ["v1", "event", event_id]) => self.event(event_id),
            ("GET", ["v1", "event_auth", room, _]) if self.is_here(room) => {
                wrapped(&[("auth_chain", array(self.room.ground()))])
            }
            ("GET", ["v1", "backfill", room]) if self.is_here(room) => self.backfill(question),
            ("POST", ["v1", "get_missing_events", room]) if self.is_here(room) => {
                Answer::json(&json!({ "events": [] }))
            }
            ("PUT", ["v1", "send", _]) => Answer::json(&json!({ "pdus": {} })),
            ("GET", ["v1", "query", "profile"]) => Answer::json(&json!({})),
            ("GET", ["v1", "user", "devices", user]) => {
                Answer::json(&json!({ "user_id": user, "stream_id": 1, "devices": [] }))
            }
            ("POST", ["v1", "user", "keys", "query"]) => Answer::json(&json!({ "device_keys": {} })),
            ("GET", ["v1", "make_join" | "state" | "state_ids" | "backfill", ..])
            | ("PUT", ["v2", "send_join", ..]) => Answer::not_found(),
            _ => Answer::unrecognized(),
        }
    }

    fn is_here(&self, room_id: &str) -> bool {
        self.room.id() == room_id
    }

    fn version(&self) -> RoomVersion {
        self.room.version()
    }

    fn make_join(&self, user_id: &str) -> Answer {
        let event = self.room.join_template(user_id);
        Answer::json(&json!({ "room_version": self.version().as_str(), "event": event }))
    }

    /// The event comes back as it came: nobody has to vouch for a join into a public room.
    fn send_join(&self, question: &Question<'_>) -> Answer {
        let event = Bytes::copy_from_slice(question.body);
        let asked = question.parameter("omit_members") == Some("true");
        if asked && self.omit_members {
            return wrapped(&[
                ("origin", text(self.name.as_str())),
                ("members_omitted", text(true)),
                ("servers_in_room", text(json!([self.name]))),
                ("event", event),
                ("auth_chain", self.ground.clone()),
                ("state", self.ground.clone()),
            ]);
        }
        wrapped(&[
            ("origin", text(self.name.as_str())),
            ("members_omitted", text(false)),
            ("event", event),
            ("auth_chain", self.ground.clone()),
            ("state", self.everything.clone()),
        ])
    }

    fn state(&self, question: &Question<'_>) -> Answer {
        let events = self.room.state_before(question.parameter("event_id").unwrap_or_default());
        let pdus = if events.len() == self.room.len() { self.everything.clone() } else { array(events) };
        wrapped(&[("auth_chain", self.ground.clone()), ("pdus", pdus)])
    }

    fn state_ids(&self, question: &Question<'_>) -> Answer {
        let events = self.room.state_before(question.parameter("event_id").unwrap_or_default());
        let ids = |events: &[Pdu]| -> Vec<String> {
            events.iter().map(|event| event.event_id().to_string()).collect()
        };
        Answer::json(&json!({ "auth_chain_ids": ids(self.room.ground()), "pdu_ids": ids(events) }))
    }

    fn event(&self, event_id: &str) -> Answer {
        self.room.event(event_id).map_or_else(Answer::not_found, |event| self.transaction([event]))
    }

    fn backfill(&self, question: &Question<'_>) -> Answer {
        let limit = question.parameter("limit").and_then(|limit| limit.parse().ok()).unwrap_or(HISTORY_LIMIT);
        let from = question.parameter("v").unwrap_or_default();
        self.transaction(self.room.backwards(from, limit.min(HISTORY_LIMIT)))
    }

    fn transaction<'a>(&self, events: impl IntoIterator<Item = &'a Pdu>) -> Answer {
        wrapped(&[
            ("origin", text(self.name.as_str())),
            ("origin_server_ts", text(clock::epoch_ms())),
            ("pdus", array(events)),
        ])
    }
}

fn text(value: impl Into<Value>) -> Bytes {
    Bytes::from(value.into().to_string())
}

/// A JSON array of events.
fn array<'a>(events: impl IntoIterator<Item = &'a Pdu>) -> Bytes {
    let mut out = String::from("[");
    for (number, event) in events.into_iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        out.push_str(event.json());
    }
    out.push(']');
    Bytes::from(out)
}

/// A JSON object of these members, whose values are JSON and are not copied.
fn wrapped(members: &[(&'static str, Bytes)]) -> Answer {
    let mut body = Vec::with_capacity(2 * members.len() + 1);
    for (number, (name, value)) in members.iter().enumerate() {
        let opening = if number == 0 { "{" } else { "," };
        body.push(Bytes::from(format!("{opening}\"{name}\":")));
        body.push(value.clone());
    }
    body.push(Bytes::from_static(b"}"));
    Answer { status: 200, body }
}

#[cfg(test)]
mod tests {
    use parvis_events::{RoomVersion, ServerKey};
    use ruma::OwnedServerName;
    use serde_json::Value;

    use super::{Question, Resident};
    use crate::room::Room;

    fn resident(omit_members: bool) -> Resident {
        let name = OwnedServerName::try_from("localhost:8448").unwrap();
        let key = ServerKey::generate([7; 32], "resident").unwrap();
        let room = Room::generate(&name, &key, RoomVersion::V12, 30).unwrap();
        Resident::new(name, key, room, omit_members).unwrap()
    }

    fn ask(resident: &Resident, method: &str, path: &[&str], query: &[(&str, &str)]) -> (u16, Value) {
        let room_id = resident.room.id().to_string();
        let segments: Vec<String> = path.iter().map(|part| part.replace("ROOM", &room_id)).collect();
        let query: Vec<(String, String)> =
            query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let question = Question { method, segments: &segments, query: &query, body: b"{}" };
        let answer = resident.answer(&question);
        (answer.status, serde_json::from_slice(&answer.body.concat()).unwrap())
    }

    #[test]
    fn a_join_is_answered_with_the_whole_state() {
        let (status, body) = ask(&resident(true), "PUT", &["v2", "send_join", "ROOM", "$join"], &[]);
        assert_eq!(status, 200);
        assert_eq!(body["state"].as_array().unwrap().len(), 7 + 29);
        assert_eq!(body["members_omitted"], false);
    }

    #[test]
    fn members_are_omitted_where_both_sides_want_it() {
        let path = ["v2", "send_join", "ROOM", "$join"];
        let wanted = [("omit_members", "true")];
        let (_, body) = ask(&resident(true), "PUT", &path, &wanted);
        assert_eq!(body["state"].as_array().unwrap().len(), 7);
        assert_eq!(body["members_omitted"], true);
        let (_, body) = ask(&resident(false), "PUT", &path, &wanted);
        assert_eq!(body["members_omitted"], false);
    }

    #[test]
    fn another_room_is_not_here() {
        let (status, body) = ask(&resident(false), "GET", &["v1", "make_join", "!other", "@u:h"], &[]);
        assert_eq!((status, body["errcode"].as_str()), (404, Some("M_NOT_FOUND")));
    }

    #[test]
    fn keys_are_signed_with_themselves() {
        let answer = resident(false).keys().unwrap();
        let keys: Value = serde_json::from_slice(&answer.body.concat()).unwrap();
        assert!(keys["signatures"]["localhost:8448"]["ed25519:resident"].is_string(), "{keys}");
        assert!(keys["verify_keys"]["ed25519:resident"]["key"].is_string(), "{keys}");
    }
}
