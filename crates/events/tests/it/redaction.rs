//! What redaction leaves: every version × event type × key, written out as the specification lists it.

use std::collections::BTreeSet;

use parvis_events::{Pdu, RawPdu, RoomVersion, redact};
use serde_json::{Value, json};

use crate::{
    receive::verified,
    world::{key, state_draft},
};

/// Every key that means something in the content of some event type.
const CONTENT_KEYS: [&str; 24] = [
    "membership",
    "join_authorised_via_users_server",
    "displayname",
    "avatar_url",
    "creator",
    "room_version",
    "predecessor",
    "join_rule",
    "allow",
    "ban",
    "events",
    "events_default",
    "invite",
    "kick",
    "notifications",
    "redact",
    "state_default",
    "users",
    "users_default",
    "history_visibility",
    "aliases",
    "redacts",
    "body",
    "topic",
];

/// The keys of content that stay, of an event type in a room version.
fn kept(kind: &str, version: u8) -> Vec<&'static str> {
    let since = |first: u8, key: &'static str| (version >= first).then_some(key);
    let keys = match kind {
        "m.room.member" => vec![Some("membership"), since(9, "join_authorised_via_users_server")],
        "m.room.create" if version >= 11 => CONTENT_KEYS.map(Some).to_vec(),
        "m.room.create" => vec![Some("creator")],
        "m.room.join_rules" => vec![Some("join_rule"), since(8, "allow")],
        "m.room.power_levels" => {
            let always = [
                "ban",
                "events",
                "events_default",
                "kick",
                "redact",
                "state_default",
                "users",
                "users_default",
            ];
            always.map(Some).into_iter().chain([since(11, "invite")]).collect()
        }
        "m.room.history_visibility" => vec![Some("history_visibility")],
        "m.room.redaction" => vec![since(11, "redacts")],
        _ => vec![],
    };
    keys.into_iter().flatten().collect()
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

fn redacted(event: &Value, version: RoomVersion) -> (Pdu, Value) {
    let pdu = redact(&verified(event, version)).unwrap();
    let json = serde_json::from_str(pdu.json()).unwrap();
    (pdu, json)
}

fn event(kind: &str, content: Value) -> Value {
    json!({ "auth_events": [], "content": content, "depth": 1, "origin_server_ts": 1, "prev_events": [],
        "room_id": "!r:example.org", "sender": "@a:example.org", "state_key": "", "type": kind })
}

#[test]
fn content_keeps_exactly_the_listed_keys() {
    let kinds = [
        "m.room.member",
        "m.room.create",
        "m.room.join_rules",
        "m.room.power_levels",
        "m.room.history_visibility",
        "m.room.redaction",
        "m.room.aliases",
        "m.room.message",
        "m.room.encrypted",
        "m.room.name",
        "m.room.server_acl",
        "org.example.custom",
    ];
    for number in 6..=12_u8 {
        let version: RoomVersion = number.to_string().parse().unwrap();
        for kind in kinds {
            // `join_authorised_via_users_server` must name a user whose server signed, here the sender's.
            let content = CONTENT_KEYS.map(|key| (key.to_owned(), json!("@a:example.org")));
            let mut event = event(kind, Value::Object(content.into_iter().collect()));
            if number == 12 && kind == "m.room.create" {
                event.as_object_mut().unwrap().remove("room_id");
            }
            let (_, json) = redacted(&event, version);
            assert_eq!(
                keys(&json["content"]),
                kept(kind, number).into_iter().collect(),
                "{kind} in {version}"
            );
        }
    }
}

#[test]
fn top_level_keeps_exactly_the_listed_keys() {
    let always = [
        "type",
        "room_id",
        "sender",
        "state_key",
        "content",
        "hashes",
        "signatures",
        "depth",
        "prev_events",
        "auth_events",
        "origin_server_ts",
        "event_id",
    ];
    let until_version_10 = ["origin", "membership", "prev_state"];
    let never = ["redacts", "age_ts", "org.example.extra", "replaces_state"];
    for number in 6..=12_u8 {
        let version: RoomVersion = number.to_string().parse().unwrap();
        let mut event = event("x", json!({}));
        for key in until_version_10.iter().chain(&never).chain(&["event_id"]) {
            event[key] = json!("x");
        }
        let (_, json) = redacted(&event, version);
        let mut kept: BTreeSet<_> = always.into_iter().collect();
        if number <= 10 {
            kept.extend(until_version_10);
        }
        assert_eq!(keys(&json), kept, "{version}");
    }
}

#[test]
fn third_party_invite_keeps_its_signed_part_since_version_11() {
    let invite = json!({ "display_name": "a...", "signed": { "token": "t", "mxid": "@a:example.org" } });
    for number in 6..=12_u8 {
        let version: RoomVersion = number.to_string().parse().unwrap();
        let kept = |third_party: &Value| {
            let content = json!({ "membership": "join", "third_party_invite": third_party });
            let pdu = state_draft("m.room.member", "@a:example.org", &content).sign(version, &key()).unwrap();
            let content: Value = redact(&pdu).unwrap().content_as().unwrap();
            content.get("third_party_invite").cloned()
        };
        let signed = json!({ "signed": { "token": "t", "mxid": "@a:example.org" } });
        assert_eq!(kept(&invite), (number >= 11).then_some(signed), "{version}");
        assert_eq!(kept(&json!({ "display_name": "a" })), (number >= 11).then(|| json!({})), "{version}");
        assert_eq!(kept(&json!("text")), None, "{version}");
    }
}

#[test]
fn redacted_event_keeps_its_id_and_its_signature() {
    for version in RoomVersion::supported() {
        let event = event("m.room.message", json!({ "body": "secret" }));
        let pdu = verified(&event, version);
        let (redacted, _) = redacted(&event, version);
        assert_eq!(redacted.event_id(), pdu.event_id());
        assert!(!redacted.json().contains("secret"));
        // Received by another server, the redacted copy has the same id, and its signature holds.
        let again = RawPdu::parse(redacted.json().as_bytes(), version).unwrap().check_format().unwrap();
        assert_eq!(again.event_id(), pdu.event_id());
        let again = again.verify(&crate::receive::keys(&key())).unwrap();
        assert!(!again.hash_matches());
        assert_eq!(again.into_pdu().json(), redacted.json());
    }
}

#[test]
fn redacting_twice_changes_nothing_more() {
    for version in RoomVersion::supported() {
        let once =
            redact(&verified(&event("m.room.member", json!({ "membership": "join" })), version)).unwrap();
        assert_eq!(redact(&once).unwrap().json(), once.json());
    }
}
