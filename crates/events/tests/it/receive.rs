//! The way of an event from another server: format, signatures, hash.

use parvis_events::{
    FormatError, Pdu, PublicKeys, RawPdu, RoomVersion, ServerKey, SignatureError, canonical,
};
use ruma::{
    CanonicalJsonObject, ServerName,
    canonical_json::redact,
    server_name,
    signatures::{Ed25519KeyPair, hash_and_sign_event, reference_hash},
};
use serde_json::{Value, json};

use crate::world::{create_draft, draft, key, state_draft};

/// The keys of `example.org`, as another server knows them.
pub(crate) fn keys(key: &ServerKey) -> PublicKeys {
    let mut keys = PublicKeys::new();
    assert!(keys.insert(server_name!("example.org"), key.key_id(), &key.public_key_base64()));
    keys
}

/// An event as another implementation makes it: any fields, hashed and signed by `example.org`.
pub(crate) fn signed_elsewhere(event: &Value, version: RoomVersion) -> Value {
    let mut object: CanonicalJsonObject = serde_json::from_value(event.clone()).unwrap();
    let pair = Ed25519KeyPair::new("1.3.101.112".parse().unwrap(), &key().to_bytes(), None, "a1".to_owned());
    hash_and_sign_event("example.org", &pair.unwrap(), &mut object, &version.rules().redaction).unwrap();
    serde_json::to_value(object).unwrap()
}

/// An event of `example.org` that has come the whole way.
pub(crate) fn verified(event: &Value, version: RoomVersion) -> Pdu {
    let event = signed_elsewhere(event, version);
    let well_formed = raw(&event, version).unwrap().check_format().unwrap();
    well_formed.verify(&keys(&key())).unwrap().into_pdu()
}

fn raw(event: &Value, version: RoomVersion) -> Result<RawPdu, FormatError> {
    RawPdu::parse(&serde_json::to_vec(event).unwrap(), version)
}

fn message() -> Value {
    json!({ "auth_events": ["$a", "$b"], "content": { "body": "hi" }, "depth": 5, "origin_server_ts": 6,
        "prev_events": ["$p"], "room_id": "!r:example.org", "sender": "@Alice=~x:example.org", "type": "m.room.message" })
}

/// The message with one field replaced, or taken away.
fn message_with(field: &str, value: Option<Value>) -> Value {
    let mut event = signed_elsewhere(&message(), RoomVersion::V10);
    match value {
        Some(value) => event[field] = value,
        None => drop(event.as_object_mut().unwrap().remove(field)),
    }
    event
}

#[test]
fn our_own_events_pass_the_checks_of_others_and_ours() {
    for version in RoomVersion::supported() {
        for draft in [
            create_draft(version),
            draft("m.room.message", &json!({ "body": "é\u{2028}" })),
            state_draft("m.room.member", "@alice:example.org", &json!({ "membership": "join", "x": 1 })),
        ] {
            let made = draft.sign(version, &key()).unwrap();
            let object: CanonicalJsonObject = serde_json::from_str(made.json()).unwrap();
            let verdict =
                ruma::signatures::verify_event(keys(&key()).as_map(), &object, version.rules()).unwrap();
            assert_eq!(verdict, ruma::signatures::Verified::All);

            let received = RawPdu::parse(made.json().as_bytes(), version).unwrap().check_format().unwrap();
            assert_eq!(received.event_id(), made.event_id());
            assert_eq!(received.room_id(), made.room_id());
            let signed = received.verify(&keys(&key())).unwrap();
            assert!(signed.hash_matches());
            let pdu = signed.into_pdu();
            assert_eq!(pdu.json(), made.json());
            assert_eq!(pdu.client_form().as_str(), made.client_form().as_str());
        }
    }
}

#[test]
fn event_ids_are_those_of_the_reference_implementation() {
    for version in RoomVersion::supported() {
        let mut event = signed_elsewhere(&message(), version);
        event["org.example.extra"] = json!({ "kept": ["by", "us"] });
        event["unsigned"] = json!({ "age": 4 });
        let object: CanonicalJsonObject = serde_json::from_value(event.clone()).unwrap();
        let well_formed = raw(&event, version).unwrap().check_format().unwrap();
        assert_eq!(
            well_formed.event_id().as_str(),
            format!("${}", reference_hash(&object, version.rules()).unwrap())
        );
    }
}

#[test]
fn unsigned_is_not_kept_and_unknown_fields_are() {
    let mut event = message();
    event["unsigned"] = json!({ "age_ts": 1 });
    event["org.example.extra"] = json!(1);
    event["origin"] = json!("example.org");
    let pdu = verified(&event, RoomVersion::V11);
    let json: Value = serde_json::from_str(pdu.json()).unwrap();
    assert_eq!(json.get("unsigned"), None);
    assert_eq!(json["org.example.extra"], 1);
    assert_eq!(json["origin"], "example.org");
    assert_eq!(pdu.sender(), "@Alice=~x:example.org", "historical user ids are accepted");
}

#[test]
fn tampered_content_leaves_the_redacted_copy() {
    for version in RoomVersion::supported() {
        let mut event = signed_elsewhere(&message(), version);
        let before = raw(&event, version).unwrap().check_format().unwrap().event_id().to_owned();
        event["content"]["body"] = json!("tampered");
        let well_formed = raw(&event, version).unwrap().check_format().unwrap();
        assert_eq!(well_formed.event_id(), before);
        let signed = well_formed.verify(&keys(&key())).unwrap();
        assert!(!signed.hash_matches());
        let object: CanonicalJsonObject = serde_json::from_value(event).unwrap();
        let redacted = redact(object, &version.rules().redaction, None).unwrap();
        assert_eq!(signed.into_pdu().json(), canonical::to_text(&redacted));
    }
}

#[test]
fn tampered_signature_or_envelope_is_refused() {
    let version = RoomVersion::V11;
    let event = signed_elsewhere(&message(), version);
    let refusal = |event: &Value| {
        raw(event, version).unwrap().check_format().unwrap().verify(&keys(&key())).unwrap_err()
    };
    let mut tampered = event.clone();
    tampered["depth"] = json!(6);
    assert!(matches!(refusal(&tampered), SignatureError::False { .. }));
    for signature in [json!("AAAA"), json!("not base64!"), json!(5)] {
        let mut tampered = event.clone();
        tampered["signatures"]["example.org"]["ed25519:a1"] = signature;
        assert!(matches!(refusal(&tampered), SignatureError::False { .. }));
    }
    for signatures in [
        json!({}),
        json!({ "example.org": {} }),
        json!({ "example.org": 3 }),
        json!({ "example.org": { "ed25519:unknown": "AAAA" } }),
    ] {
        let mut tampered = event.clone();
        tampered["signatures"] = signatures;
        assert_eq!(refusal(&tampered), SignatureError::Missing(server_name!("example.org").to_owned()));
    }
}

#[test]
fn signatures_by_keys_that_nobody_knows_are_passed_over() {
    let version = RoomVersion::V11;
    let mut event = signed_elsewhere(&message(), version);
    event["signatures"]["example.org"]["ed25519:stale"] = json!("AAAA");
    event["signatures"]["other.example.org"] = json!({ "ed25519:1": "BBBB" });
    let well_formed = raw(&event, version).unwrap().check_format().unwrap();
    assert_eq!(well_formed.key_ids_of(server_name!("example.org")), ["ed25519:a1", "ed25519:stale"]);
    assert!(well_formed.verify(&keys(&key())).unwrap().hash_matches());
}

/// Servers whose signatures are required of a membership event with this content.
fn signers(content: &Value, kind: &str, version: RoomVersion) -> Result<Vec<String>, SignatureError> {
    let mut event = message();
    event["type"] = json!(kind);
    event["state_key"] = json!("@bob:b.example.org");
    event["content"] = content.clone();
    let event = signed_elsewhere(&event, RoomVersion::V6);
    let servers = raw(&event, version).unwrap().check_format().unwrap().required_signers()?;
    Ok(servers.iter().map(ToString::to_string).collect())
}

#[test]
fn restricted_join_needs_the_signature_of_the_server_that_vouches() {
    let content =
        json!({ "membership": "join", "join_authorised_via_users_server": "@resident:r.example.org" });
    for version in RoomVersion::supported() {
        let both = vec!["example.org".to_owned(), "r.example.org".to_owned()];
        let expected = if version.restricted() { both } else { vec!["example.org".to_owned()] };
        assert_eq!(signers(&content, "m.room.member", version).unwrap(), expected, "{version}");
        assert_eq!(signers(&content, "m.room.message", version).unwrap(), ["example.org"], "{version}");
    }
    for odd in [json!(5), json!("resident")] {
        let content = json!({ "membership": "join", "join_authorised_via_users_server": odd });
        assert_eq!(
            signers(&content, "m.room.member", RoomVersion::V11),
            Err(SignatureError::NoSuchAuthoriser)
        );
    }
}

#[test]
fn vouching_server_adds_its_signature_without_changing_the_event_id() {
    let version = RoomVersion::V11;
    let content = json!({ "membership": "join", "join_authorised_via_users_server": "@res:r.example.org" });
    let join = state_draft("m.room.member", "@alice:example.org", &content).sign(version, &key()).unwrap();
    let resident = ServerKey::generate([9; 32], "res").unwrap();
    let both = join.cosign(server_name!("r.example.org"), &resident).unwrap();
    assert_eq!(both.event_id(), join.event_id());

    let well_formed = RawPdu::parse(both.json().as_bytes(), version).unwrap().check_format().unwrap();
    assert_eq!(well_formed.event_id(), join.event_id());
    let mut known = keys(&key());
    let missing = well_formed.clone().verify(&known).unwrap_err();
    assert_eq!(missing, SignatureError::Missing(server_name!("r.example.org").to_owned()));
    known.insert(server_name!("r.example.org"), "ed25519:res", &resident.public_key_base64());
    assert!(well_formed.verify(&known).unwrap().hash_matches());
    let unsigned = RawPdu::parse(join.json().as_bytes(), version).unwrap().check_format().unwrap();
    assert!(unsigned.verify(&known).is_err());
}

#[test]
fn invitation_by_a_third_party_is_not_signed_by_its_sender() {
    let content = json!({ "membership": "invite", "third_party_invite": { "signed": {} } });
    assert_eq!(signers(&content, "m.room.member", RoomVersion::V11).unwrap(), [""; 0]);
    let joined = json!({ "membership": "join", "third_party_invite": { "signed": {} } });
    assert_eq!(signers(&joined, "m.room.member", RoomVersion::V11).unwrap(), ["example.org"]);
    let odd = json!({ "membership": "invite", "third_party_invite": "x" });
    assert_eq!(signers(&odd, "m.room.member", RoomVersion::V11).unwrap(), ["example.org"]);
}

#[test]
fn malformed_fields_are_named() {
    let long = |bytes: usize| json!("x".repeat(bytes));
    let ids = |count: usize| Value::from((0..count).map(|n| format!("${n}")).collect::<Vec<_>>());
    let cases = [
        ("type", None),
        ("type", Some(json!(1))),
        ("type", Some(long(256))),
        ("sender", None),
        ("sender", Some(json!("alice"))),
        ("sender", Some(json!("@alice"))),
        ("sender", Some(json!(null))),
        ("room_id", None),
        ("room_id", Some(json!("r"))),
        ("room_id", Some(json!(4))),
        ("state_key", Some(json!(null))),
        ("state_key", Some(json!(1))),
        ("state_key", Some(long(256))),
        ("content", None),
        ("content", Some(json!([]))),
        ("content", Some(json!("{}"))),
        ("depth", None),
        ("depth", Some(json!("1"))),
        ("depth", Some(json!(-1))),
        ("depth", Some(json!(null))),
        ("origin_server_ts", None),
        ("origin_server_ts", Some(json!("1"))),
        ("hashes", None),
        ("hashes", Some(json!({}))),
        ("hashes", Some(json!({ "sha256": 1 }))),
        ("signatures", None),
        ("signatures", Some(json!([]))),
        ("prev_events", None),
        ("prev_events", Some(json!({}))),
        ("prev_events", Some(json!([1]))),
        ("prev_events", Some(json!([["$a", {}]]))),
        ("prev_events", Some(json!(["a"]))),
        ("prev_events", Some(ids(21))),
        ("auth_events", None),
        ("auth_events", Some(json!("$a"))),
        ("auth_events", Some(ids(11))),
    ];
    for (field, value) in cases {
        let event = message_with(field, value.clone());
        let error = raw(&event, RoomVersion::V10).unwrap().check_format().err().unwrap();
        let named = match &error {
            FormatError::Field { field, .. }
            | FormatError::FieldTooLarge { field, .. }
            | FormatError::TooManyEvents { field, .. } => field,
            other => panic!("{field} {value:?}: {other}"),
        };
        assert_eq!(*named, field, "{value:?}: {error}");
    }
}

#[test]
fn extreme_but_allowed_fields_pass() {
    let ids = |count: usize| Value::from((0..count).map(|n| format!("${n}")).collect::<Vec<_>>());
    for (field, value) in [
        ("depth", json!(0)),
        ("depth", json!(9_007_199_254_740_991_i64)),
        ("origin_server_ts", json!(-1)),
        ("prev_events", ids(20)),
        ("auth_events", ids(10)),
        ("prev_events", json!([])),
        ("type", json!("x".repeat(255))),
        ("type", json!("")),
        ("state_key", json!("")),
    ] {
        assert!(
            raw(&message_with(field, Some(value)), RoomVersion::V10).unwrap().check_format().is_ok(),
            "{field}"
        );
    }
}

#[test]
fn numbers_that_canonical_json_has_not_are_refused_on_sight() {
    for number in ["1.0", "9007199254740992", "-0", "1e3"] {
        let text = message().to_string().replace("\"hi\"", number);
        assert!(matches!(RawPdu::parse(text.as_bytes(), RoomVersion::V6), Err(FormatError::NotCanonical(_))));
    }
}

#[test]
fn whole_event_may_have_65536_bytes_in_canonical_form() {
    let version = RoomVersion::V11;
    let event_of = |bytes: usize| {
        let base = signed_elsewhere(&message(), version).to_string().len();
        let mut event = message();
        event["content"]["body"] = json!("x".repeat(bytes - base + 2));
        signed_elsewhere(&event, version)
    };
    let largest = event_of(65_536);
    assert_eq!(largest.to_string().len(), 65_536);
    let well_formed = RawPdu::parse(serde_json::to_string_pretty(&largest).unwrap().as_bytes(), version);
    let signed = well_formed.unwrap().check_format().unwrap().verify(&keys(&key())).unwrap();
    assert!(signed.hash_matches());
    let error = raw(&event_of(65_537), version).unwrap().check_format().err().unwrap();
    assert_eq!(error, FormatError::EventTooLarge { bytes: 65_537 });
}

#[test]
fn state_key_of_70_emoji_is_malformed_only_since_version_11() {
    for version in RoomVersion::supported() {
        let event = message_with("state_key", Some(json!("🌍".repeat(70))));
        let well_formed = raw(&event, version).unwrap().check_format();
        assert_eq!(well_formed.is_err(), version.strict_field_bytes(), "{version}");
        assert_eq!(version.strict_field_bytes(), ["11", "12"].contains(&version.as_str()));
    }
    let event = message_with("state_key", Some(json!("🌍".repeat(256))));
    assert!(
        raw(&event, RoomVersion::V6).unwrap().check_format().is_err(),
        "256 characters are too many anywhere"
    );
}

#[test]
fn version_12_derives_the_room_from_the_create_event() {
    let version = RoomVersion::V12;
    let mut create = message();
    create["type"] = json!("m.room.create");
    create["state_key"] = json!("");
    let with_room_id =
        raw(&signed_elsewhere(&create, version), version).unwrap().check_format().err().unwrap();
    assert!(matches!(with_room_id, FormatError::Field { field: "room_id", .. }));

    create.as_object_mut().unwrap().remove("room_id");
    let create = verified(&create, version);
    assert_eq!(create.room_id().as_str()[1..], create.event_id().as_str()[1..]);

    let mut child = message();
    child["room_id"] = json!(create.room_id());
    verified(&child, version);
    child["auth_events"] = json!(["$a", create.event_id()]);
    let cites_create =
        raw(&signed_elsewhere(&child, version), version).unwrap().check_format().err().unwrap();
    assert!(matches!(cites_create, FormatError::Field { field: "auth_events", .. }));
}

#[test]
fn create_event_needs_its_room_id_before_version_12() {
    for version in RoomVersion::supported().filter(|version| !version.room_id_is_create_hash()) {
        let mut create = message();
        create["type"] = json!("m.room.create");
        create.as_object_mut().unwrap().remove("room_id");
        assert!(raw(&signed_elsewhere(&create, version), version).unwrap().check_format().is_err());
    }
}

#[test]
fn keys_that_are_none_are_left_out() {
    let mut keys = PublicKeys::new();
    let server: &ServerName = server_name!("example.org");
    assert!(!keys.insert(server, "ed25519:1", "not base64!"));
    assert!(!keys.insert(server, "rsa:1", "AAAA"));
    assert!(keys.as_map().is_empty());
}
