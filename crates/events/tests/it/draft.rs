//! Making events of our own.

use parvis_events::{EventDraft, FormatError, MAX_PDU_BYTES, Pdu, RoomVersion};
use ruma::{CanonicalJsonObject, event_id, signatures::Ed25519KeyPair};
use serde_json::{Value, json, value::RawValue};

use crate::world::{create_draft, draft, key, state_draft};

/// The same event, put together, hashed and signed by ruma's functions.
fn signed_by_ruma(draft: &EventDraft, version: RoomVersion) -> (String, String) {
    let mut object = json!({
        "auth_events": draft.auth_events,
        "content": serde_json::from_str::<Value>(draft.content.get()).unwrap(),
        "depth": draft.depth,
        "origin_server_ts": draft.origin_server_ts,
        "prev_events": draft.prev_events,
        "sender": draft.sender,
        "type": draft.kind,
    });
    if let Some(room_id) = &draft.room_id {
        object["room_id"] = json!(room_id);
    }
    if let Some(state_key) = &draft.state_key {
        object["state_key"] = json!(state_key);
    }
    if let Some(redacts) = &draft.redacts {
        if version.redacts_in_content() {
            object["content"]["redacts"] = json!(redacts);
        } else {
            object["redacts"] = json!(redacts);
        }
    }
    let mut object: CanonicalJsonObject = serde_json::from_value(object).unwrap();
    let pair = Ed25519KeyPair::new(
        "1.3.101.112".parse().unwrap(),
        &key().to_bytes(),
        None,
        key().version().to_owned(),
    )
    .unwrap();
    let rules = version.rules();
    ruma::signatures::hash_and_sign_event("example.org", &pair, &mut object, &rules.redaction).unwrap();
    let event_id = format!("${}", ruma::signatures::reference_hash(&object, rules).unwrap());
    (event_id, serde_json::to_string(&object).unwrap())
}

/// Drafts of many shapes: every type that redaction treats in its own way, and escapes.
fn drafts(version: RoomVersion) -> Vec<EventDraft> {
    let levels =
        json!({ "users": { "@alice:example.org": 100 }, "invite": 0, "notifications": { "room": 50 } });
    let member = json!({ "membership": "join", "displayname": "Ältere \u{1} \"A\"\\", "third_party_invite":
        { "display_name": "x", "signed": { "mxid": "@a:b" } }, "join_authorised_via_users_server": "@b:c" });
    vec![
        create_draft(version),
        draft("m.room.message", &json!({ "msgtype": "m.text", "body": "Grüße 🌍\n\t/\u{7f}\u{2028}" })),
        draft("m.room.encrypted", &json!({ "b": 1, "a": [null, true, -5, { "z": {}, "y": [] }] })),
        draft("org.example.\"odd\"", &json!({})),
        EventDraft {
            redacts: Some(event_id!("$target").to_owned()),
            ..draft("m.room.redaction", &json!({ "reason": "spam" }))
        },
        state_draft("m.room.member", "@alice:example.org", &member),
        state_draft("m.room.power_levels", "", &levels),
        state_draft("m.room.join_rules", "", &json!({ "join_rule": "restricted", "allow": [], "x": 1 })),
        state_draft("m.room.history_visibility", "", &json!({ "history_visibility": "shared", "x": 1 })),
        state_draft("m.room.aliases", "example.org", &json!({ "aliases": ["#a:example.org"] })),
        state_draft(
            "m.room.topic",
            "\u{ffff}\u{10000}",
            &json!({ "topic": "t", "\u{10000}": 1, "\u{ffff}": 2 }),
        ),
    ]
}

#[test]
fn signing_agrees_with_the_reference_implementation_in_every_version() {
    for version in RoomVersion::supported() {
        for draft in drafts(version) {
            let (event_id, json) = signed_by_ruma(&draft, version);
            let pdu = draft.sign(version, &key()).unwrap();
            assert_eq!(pdu.json(), json, "{version}");
            assert_eq!(pdu.event_id().as_str(), event_id, "{version}");
        }
    }
}

#[test]
fn stored_event_comes_back_as_it_was() {
    for version in RoomVersion::supported() {
        for draft in drafts(version) {
            let made = draft.sign(version, &key()).unwrap();
            let back =
                Pdu::from_stored(made.event_id().to_owned(), made.room_id().to_owned(), version, made.json())
                    .unwrap();
            assert_eq!(back.content_json(), made.content_json());
            assert_eq!(back.content().get(), made.content_json());
            assert_eq!(back.kind(), made.kind());
            assert_eq!(back.state_key(), made.state_key());
            assert_eq!(back.sender(), made.sender());
            assert_eq!(back.redacts(), made.redacts());
            assert_eq!(back.depth(), made.depth());
            assert_eq!(back.origin_server_ts(), made.origin_server_ts());
            assert_eq!(back.prev_events(), made.prev_events());
            assert_eq!(back.auth_events(), made.auth_events());
            assert_eq!(back.client_form().as_str(), made.client_form().as_str());
        }
    }
}

#[test]
fn room_id_of_version_12_is_the_hash_of_its_create_event() {
    let create = create_draft(RoomVersion::V12).sign(RoomVersion::V12, &key()).unwrap();
    assert_eq!(create.room_id().as_str()[1..], create.event_id().as_str()[1..]);
    assert_eq!(create.room_id().as_str().len(), 44);
    assert!(!create.json().contains("room_id"));
}

#[test]
fn create_event_of_version_12_with_a_room_id_is_refused() {
    let mut create = create_draft(RoomVersion::V12);
    create.room_id = draft("x", &json!({})).room_id;
    let error = create.sign(RoomVersion::V12, &key()).unwrap_err();
    assert!(matches!(error, FormatError::Field { field: "room_id", .. }), "{error}");
}

#[test]
fn event_without_a_room_is_refused() {
    let mut homeless = draft("m.room.message", &json!({}));
    homeless.room_id = None;
    for version in RoomVersion::supported() {
        let error = homeless.clone().sign(version, &key()).unwrap_err();
        assert!(matches!(error, FormatError::Field { field: "room_id", .. }), "{error}");
    }
}

#[test]
fn content_that_is_not_canonical_json_is_bad_json() {
    for content in [
        "[]",
        "\"text\"",
        "null",
        r#"{"a":1.0}"#,
        r#"{"a":1e3}"#,
        r#"{"a":-0}"#,
        r#"{"a":9007199254740992}"#,
        r#"{"a":-9007199254740992}"#,
        r#"{"a":[{"b":0.5}]}"#,
        r#"{"a":"\ud800"}"#,
    ] {
        let draft = EventDraft {
            content: RawValue::from_string(content.to_owned()).unwrap(),
            ..draft("m.room.message", &json!({}))
        };
        let error = draft.sign(RoomVersion::DEFAULT, &key()).unwrap_err();
        assert!(matches!(error, FormatError::NotCanonical(_)), "{content}: {error}");
        assert!(!error.is_too_large());
    }
}

#[test]
fn integers_at_the_edge_of_the_range_are_kept() {
    let content = json!({ "max": 9_007_199_254_740_991_i64, "min": -9_007_199_254_740_991_i64 });
    let pdu = draft("m.room.message", &content).sign(RoomVersion::DEFAULT, &key()).unwrap();
    assert_eq!(pdu.content_json(), r#"{"max":9007199254740991,"min":-9007199254740991}"#);
}

/// A message whose event has exactly this many bytes.
fn message_of(bytes: usize, version: RoomVersion) -> Result<Pdu, FormatError> {
    let empty = draft("m.room.message", &json!({ "body": "" })).sign(version, &key()).unwrap();
    let padding = "x".repeat(bytes - empty.json().len());
    draft("m.room.message", &json!({ "body": padding })).sign(version, &key())
}

#[test]
fn event_of_65536_bytes_is_made_and_one_of_65537_is_too_large() {
    for version in RoomVersion::supported() {
        assert_eq!(message_of(MAX_PDU_BYTES, version).unwrap().json().len(), 65_536);
        let error = message_of(MAX_PDU_BYTES + 1, version).unwrap_err();
        assert_eq!(error, FormatError::EventTooLarge { bytes: 65_537 });
        assert!(error.is_too_large());
    }
}

#[test]
fn state_key_is_measured_in_bytes_not_in_characters() {
    for version in RoomVersion::supported() {
        let error = state_draft("a", &"🌍".repeat(70), &json!({})).sign(version, &key()).unwrap_err();
        assert_eq!(error, FormatError::FieldTooLarge { field: "state_key", bytes: 280 });
        state_draft("a", &"🌍".repeat(63), &json!({})).sign(version, &key()).unwrap();
    }
}

#[test]
fn type_of_more_than_255_bytes_is_too_large() {
    draft(&"t".repeat(255), &json!({})).sign(RoomVersion::DEFAULT, &key()).unwrap();
    let error = draft(&"t".repeat(256), &json!({})).sign(RoomVersion::DEFAULT, &key()).unwrap_err();
    assert!(error.is_too_large());
}

#[test]
fn event_follows_at_most_20_and_cites_at_most_10() {
    let id = |n: usize| event_id!("$e").to_owned().as_str().replace('e', &n.to_string()).try_into().unwrap();
    for (prev, auth, fits) in [(20, 10, true), (21, 10, false), (20, 11, false)] {
        let draft = EventDraft {
            prev_events: (0..prev).map(id).collect(),
            auth_events: (0..auth).map(id).collect(),
            ..draft("m.room.message", &json!({}))
        };
        assert_eq!(draft.sign(RoomVersion::DEFAULT, &key()).is_ok(), fits, "{prev} {auth}");
    }
}

#[test]
fn depth_stays_at_its_greatest_value() {
    let deep = EventDraft { depth: i64::MAX, ..draft("m.room.message", &json!({})) };
    let pdu = deep.sign(RoomVersion::DEFAULT, &key()).unwrap();
    assert_eq!(pdu.depth(), (1 << 53) - 1);
    assert!(pdu.json().contains("\"depth\":9007199254740991,"));
}

#[test]
fn redaction_names_its_target_where_the_version_has_it() {
    for version in RoomVersion::supported() {
        let redaction = EventDraft {
            redacts: Some(event_id!("$target").to_owned()),
            ..draft("m.room.redaction", &json!({}))
        };
        let pdu = redaction.sign(version, &key()).unwrap();
        assert_eq!(pdu.redacts().unwrap(), "$target");
        let json: Value = serde_json::from_str(pdu.json()).unwrap();
        assert_eq!(json["content"].get("redacts").is_some(), version.redacts_in_content(), "{version}");
        assert_eq!(json.get("redacts").is_some(), !version.redacts_in_content(), "{version}");
    }
}

#[test]
fn printing_an_event_or_a_key_shows_no_content_and_no_secret() {
    let pdu = draft("m.room.message", &json!({ "body": "hush" })).sign(RoomVersion::DEFAULT, &key()).unwrap();
    assert!(!format!("{pdu:?}{:?}", pdu.client_form()).contains("hush"));
    assert_eq!(format!("{:?}", key()), r#"ServerKey { key_id: "ed25519:a1", .. }"#);
}

#[test]
fn what_was_worked_out_of_an_event_is_remembered_by_all_its_clones() {
    let pdu = draft("m.room.message", &json!({})).sign(RoomVersion::DEFAULT, &key()).unwrap();
    let clone = pdu.clone();
    assert_eq!(*pdu.remembered(|pdu| pdu.kind().len()), "m.room.message".len());
    assert_eq!(*clone.remembered(|_| 0_usize), "m.room.message".len(), "not worked out again");
    assert_eq!(*clone.remembered(|_| "another type"), "another type");
    assert!(pdu.memory_bytes() > pdu.json().len());
}
