//! Events from other servers, as bytes: parsed, checked, verified, judged. None may make that panic.

use parvis_dag::{Known, judge};
use parvis_events::{EventDraft, Pdu, PublicKeys, RawPdu, RoomVersion, ServerKey, redact, stripped_state};
use ruma::{OwnedUserId, server_name};
use serde_json::{Value, json, value::to_raw_value};

use crate::mutate::Damage;

/// A few sound events, to be damaged.
pub(crate) struct Sound {
    key: ServerKey,
    events: Vec<Pdu>,
}

impl Sound {
    pub(crate) fn new() -> Self {
        let key = ServerKey::generate([5; 32], "f").unwrap();
        let mut events = Vec::new();
        for version in RoomVersion::supported() {
            events.extend(room(version, &key));
        }
        Self { key, events }
    }

    /// One round. Says how far the event came: 0 to 4.
    pub(crate) fn round(&self, damage: &Damage) -> usize {
        let pdu = &self.events[damage.below(self.events.len())];
        let version = pdu.version();
        let mut value: Value = serde_json::from_str(pdu.json()).unwrap();
        if damage.below(4) > 0 {
            damage.value(&mut value);
        }
        let mut bytes = value.to_string().into_bytes();
        if damage.below(3) == 0 {
            damage.text(&mut bytes);
        }
        let Ok(raw) = RawPdu::parse(&bytes, version) else { return 0 };
        let Ok(event) = raw.check_format() else { return 1 };
        let mut keys = PublicKeys::new();
        keys.insert(server_name!("a.test"), self.key.key_id(), &self.key.public_key_base64());
        // Most damage makes the signature false, so the event is also brought in without it.
        let (id, room) = (event.event_id().to_owned(), event.room_id().to_owned());
        let verified = event.verify(&keys).is_ok();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Ok(pdu) = Pdu::from_stored(id, room, version, text) else { return 2 };
        let _ = (stripped_state(&pdu), redact(&pdu), pdu.client_form(), pdu.membership());
        let known = |id: &ruma::EventId| {
            self.events.iter().find(|pdu| pdu.event_id() == id).cloned().map(Known::accepted)
        };
        let state = |kind: &str, key: &str| {
            self.events.iter().find(|pdu| pdu.version() == version && pdu.is_state_of(kind, key)).cloned()
        };
        let _ = judge(&pdu, known, state, state);
        if verified { 4 } else { 3 }
    }
}

/// The events of a small room.
fn room(version: RoomVersion, key: &ServerKey) -> Vec<Pdu> {
    let ann = "@ann:a.test";
    let mut events: Vec<Pdu> = Vec::new();
    let mut room_id = (!version.room_id_is_create_hash()).then(|| "!r:a.test".try_into().unwrap());
    let contents = [
        ("m.room.create", Some(""), json!({ "room_version": version.as_str(), "creator": ann })),
        ("m.room.member", Some(ann), json!({ "membership": "join" })),
        ("m.room.power_levels", Some(""), json!({ "users": {}, "events": { "m.room.name": 50 } })),
        ("m.room.join_rules", Some(""), json!({ "join_rule": "restricted", "allow": [{ "type": "x" }] })),
        ("m.room.third_party_invite", Some("t"), json!({ "public_keys": [{ "public_key": "x" }] })),
        ("m.room.member", Some("@ben:b.test"), json!({ "membership": "invite", "third_party_invite": {} })),
        ("m.room.redaction", None, json!({ "redacts": "$x" })),
        ("m.room.message", None, json!({ "msgtype": "m.text", "body": "hello" })),
    ];
    for (kind, state_key, content) in contents {
        let ids: Vec<_> = events.iter().map(|pdu| pdu.owned_event_id().clone()).collect();
        let skip = usize::from(version.room_id_is_create_hash());
        let draft = EventDraft {
            room_id: room_id.clone(),
            sender: OwnedUserId::try_from(ann).unwrap(),
            kind: kind.to_owned(),
            state_key: state_key.map(str::to_owned),
            content: to_raw_value(&content).unwrap(),
            redacts: None,
            prev_events: ids.last().cloned().into_iter().collect(),
            auth_events: ids.into_iter().skip(skip).take(3).collect(),
            depth: 1,
            origin_server_ts: 1_700_000_000_000,
        };
        let pdu = draft.sign(version, key).unwrap();
        room_id = Some(pdu.owned_room_id().clone());
        events.push(pdu);
    }
    events
}
