//! The form of events that clients see.

use parvis_events::{EventDraft, Pdu, RoomVersion, Unsigned, redact, stripped_state, write_client_event};
use ruma::{event_id, room_id};
use serde_json::{Value, json, value::to_raw_value};

use crate::world::{create_draft, draft, key, state_draft};

fn client_event(pdu: &Pdu, unsigned: &Unsigned<'_>) -> Value {
    let mut out = Vec::new();
    write_client_event(&mut out, pdu.client_form(), None, unsigned);
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn message_is_written_with_exactly_what_clients_know() {
    let pdu = draft("m.room.message", &json!({ "body": "a\"b" })).sign(RoomVersion::DEFAULT, &key()).unwrap();
    assert_eq!(
        client_event(&pdu, &Unsigned::default()),
        json!({ "content": { "body": "a\"b" }, "event_id": pdu.event_id(), "origin_server_ts": 1_700_000_000_000_i64,
            "sender": "@alice:example.org", "type": "m.room.message" })
    );
}

#[test]
fn state_event_carries_its_state_key_even_if_empty() {
    let pdu = state_draft("m.room.topic", "", &json!({})).sign(RoomVersion::DEFAULT, &key()).unwrap();
    assert_eq!(client_event(&pdu, &Unsigned::default())["state_key"], "");
}

#[test]
fn room_id_is_written_where_it_is_asked_for_also_of_a_version_12_create_event() {
    let pdu = create_draft(RoomVersion::V12).sign(RoomVersion::V12, &key()).unwrap();
    let mut out = b"[".to_vec();
    write_client_event(&mut out, pdu.client_form(), Some(pdu.room_id()), &Unsigned::default());
    out.push(b']');
    let json: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(json[0]["room_id"], pdu.room_id().as_str());
}

#[test]
fn everything_unsigned_is_written_as_given() {
    let pdu = draft("x", &json!({})).sign(RoomVersion::DEFAULT, &key()).unwrap();
    let previous = to_raw_value(&json!({ "topic": "old" })).unwrap();
    let unsigned = Unsigned {
        age: Some(-5),
        transaction_id: Some("t\"1"),
        prev_content: Some(&previous),
        prev_sender: Some(pdu.sender()),
        replaces_state: Some(event_id!("$old")),
        membership: Some("join"),
        redacted_because: Some(r#"{"type":"m.room.redaction"}"#),
        relations: Some(r#"{"m.thread":{"count":2}}"#),
        invite_room_state: Some("[1]"),
        knock_room_state: Some("[2]"),
    };
    assert_eq!(
        client_event(&pdu, &unsigned)["unsigned"],
        json!({ "age": -5, "transaction_id": "t\"1", "prev_content": { "topic": "old" },
            "prev_sender": "@alice:example.org", "replaces_state": "$old",
            "membership": "join", "redacted_because": { "type": "m.room.redaction" },
            "m.relations": { "m.thread": { "count": 2 } }, "invite_room_state": [1], "knock_room_state": [2] })
    );
    let only_age = Unsigned { age: Some(1), ..Unsigned::default() };
    assert_eq!(client_event(&pdu, &only_age)["unsigned"], json!({ "age": 1 }));
}

#[test]
fn redaction_names_its_target_at_both_places_in_every_version() {
    for version in RoomVersion::supported() {
        let target = event_id!("$target");
        for content in [json!({ "reason": "spam" }), json!({}), json!({ "redacts": "$lie" })] {
            let redaction =
                EventDraft { redacts: Some(target.to_owned()), ..draft("m.room.redaction", &content) };
            let json = client_event(&redaction.sign(version, &key()).unwrap(), &Unsigned::default());
            assert_eq!(json["redacts"], "$target", "{version}");
            assert_eq!(json["content"]["redacts"], "$target", "{version}");
            assert_eq!(json["content"].get("reason"), content.get("reason"), "{version}");
        }
    }
}

#[test]
fn redacted_redaction_names_its_target_only_since_version_11() {
    for version in RoomVersion::supported() {
        let redaction = EventDraft {
            redacts: Some(event_id!("$target").to_owned()),
            ..draft("m.room.redaction", &json!({}))
        };
        let redacted = redact(&redaction.sign(version, &key()).unwrap()).unwrap();
        let json = client_event(&redacted, &Unsigned::default());
        assert_eq!(json.get("redacts").is_some(), version.redacts_in_content(), "{version}");
    }
}

#[test]
fn target_that_is_no_event_id_is_no_target() {
    for version in RoomVersion::supported() {
        let pdu = draft("m.room.redaction", &json!({ "redacts": 5 })).sign(version, &key()).unwrap();
        assert_eq!(pdu.redacts(), None);
        assert_eq!(client_event(&pdu, &Unsigned::default()).get("redacts"), None);
    }
}

#[test]
fn stripped_state_has_four_fields() {
    let pdu =
        state_draft("m.room.name", "", &json!({ "name": "n" })).sign(RoomVersion::DEFAULT, &key()).unwrap();
    let json: Value = serde_json::from_str(&stripped_state(&pdu)).unwrap();
    assert_eq!(
        json,
        json!({ "content": { "name": "n" }, "sender": "@alice:example.org", "state_key": "", "type": "m.room.name" })
    );
}

#[test]
fn stripped_create_event_tells_when_the_room_was_made() {
    let pdu = create_draft(RoomVersion::DEFAULT).sign(RoomVersion::DEFAULT, &key()).unwrap();
    let json: Value = serde_json::from_str(&stripped_state(&pdu)).unwrap();
    assert_eq!(json["origin_server_ts"], pdu.origin_server_ts());
}

#[test]
fn form_is_made_once_and_shared_by_clones() {
    let pdu = draft("x", &json!({})).sign(RoomVersion::DEFAULT, &key()).unwrap();
    let clone = pdu.clone();
    assert!(std::ptr::eq(pdu.client_form().as_str(), clone.client_form().as_str()));
    assert_eq!(pdu.room_id(), room_id!("!room:example.org"));
}
