//! The rules that ask about any event: federation, being in the room, power, and state keys of users
//! (rules 3 and 5 to 8; 4 and 6 to 9 since version 12).

use parvis_dag::authorise;
use parvis_events::RoomVersion;
use serde_json::json;

use crate::world::{ALICE, BOB, CARA, Room, reason};

#[test]
fn closed_room_takes_only_users_of_its_own_server() {
    for version in RoomVersion::supported() {
        for (federate, open) in [(json!(false), false), (json!(true), true)] {
            let mut room = Room::created(version, json!({ "m.federate": federate }));
            room.put_member(ALICE, "join");
            room.put(ALICE, "m.room.join_rules", "", json!({ "join_rule": "public" }));
            assert!(room.attempt_member(BOB, BOB, "join").is_ok(), "{version}");
            assert_eq!(room.attempt_member(CARA, CARA, "join").is_ok(), open, "{version}");
            room.put_member(CARA, "join");
            assert_eq!(room.attempt(CARA, "m.room.message", None, json!({})).is_ok(), open, "{version}");
        }
    }
}

#[test]
fn state_without_create_event_allows_nothing() {
    for version in RoomVersion::supported() {
        let room = Room::public(version);
        let message = room.sign(room.draft(ALICE, "m.room.message", None, json!({})));
        assert!(authorise(&message, |_, _| None).is_err());
    }
}

#[test]
fn only_members_send() {
    for version in RoomVersion::supported() {
        for membership in ["invite", "knock", "leave", "ban"] {
            let room = Room::public(version).with_member(BOB, membership);
            let refusal = reason(room.attempt(BOB, "m.room.message", None, json!({})));
            assert_eq!(refusal, "@bob:a.example is not in the room", "{version} {membership}");
        }
        assert!(Room::public(version).attempt(BOB, "m.room.message", None, json!({})).is_err());
        let room = Room::public(version).with_member(BOB, "join");
        room.attempt(BOB, "m.room.message", None, json!({})).unwrap();
    }
}

#[test]
fn each_type_needs_its_power_level() {
    let levels = json!({ "users": { BOB: 30 }, "events": { "light": 30, "heavy": 31, "m.room.topic": 30 },
        "events_default": 30, "state_default": 31 });
    for version in RoomVersion::supported() {
        let room =
            Room::new(version, "public", levels.clone()).with_member(BOB, "join").with_member(CARA, "join");
        for (kind, state_key, bob) in [
            ("light", None, true),
            ("heavy", None, false),
            ("other", None, true),
            ("m.room.topic", Some(""), true),
            ("heavy", Some(""), false),
            ("m.room.name", Some(""), false),
            ("light", Some(""), true),
        ] {
            assert_eq!(room.attempt(BOB, kind, state_key, json!({})).is_ok(), bob, "{version} {kind}");
            assert!(room.attempt(ALICE, kind, state_key, json!({})).is_ok(), "{version} {kind}");
            assert!(room.attempt(CARA, kind, state_key, json!({})).is_err(), "{version} {kind}");
        }
        let refusal = reason(room.attempt(BOB, "heavy", None, json!({})));
        assert_eq!(refusal, "heavy needs the power level 31, @bob:a.example has 30");
    }
}

#[test]
fn without_power_levels_only_the_creator_sets_state() {
    for version in RoomVersion::supported() {
        let mut room = Room::created(version, json!({}));
        room.put_member(ALICE, "join");
        room.put(ALICE, "m.room.join_rules", "", json!({ "join_rule": "public" }));
        room.put_member(BOB, "join");
        room.attempt(ALICE, "m.room.topic", Some(""), json!({})).unwrap();
        room.attempt(BOB, "m.room.message", None, json!({})).unwrap();
        assert!(room.attempt(BOB, "m.room.topic", Some(""), json!({})).is_err(), "{version}");
    }
}

#[test]
fn state_key_of_a_user_belongs_to_that_user() {
    for version in RoomVersion::supported() {
        let room = Room::new(version, "public", json!({ "state_default": 0 })).with_member(BOB, "join");
        room.attempt(BOB, "org.example.status", Some(BOB), json!({})).unwrap();
        room.attempt(BOB, "org.example.status", Some("bob"), json!({})).unwrap();
        for other in [ALICE, "@", "@bob:a.example ", "@nobody:x.example"] {
            let refusal = reason(room.attempt(BOB, "org.example.status", Some(other), json!({})));
            assert_eq!(refusal, "a state key that is a user id belongs to that user", "{version} {other}");
        }
    }
}

#[test]
fn redaction_is_allowed_by_its_type_alone() {
    for version in RoomVersion::supported() {
        let levels = json!({ "redact": 100, "events": { "m.room.redaction": 0 } });
        let room = Room::new(version, "public", levels).with_member(BOB, "join");
        room.attempt(BOB, "m.room.redaction", None, json!({ "redacts": "$x" })).unwrap();
        let levels = json!({ "redact": 0, "events": { "m.room.redaction": 1 } });
        let room = Room::new(version, "public", levels).with_member(BOB, "join");
        assert!(room.attempt(BOB, "m.room.redaction", None, json!({ "redacts": "$x" })).is_err());
    }
}

#[test]
fn aliases_event_is_a_state_event_like_others() {
    for version in RoomVersion::supported() {
        let room = Room::public(version).with_member(BOB, "join");
        room.attempt(ALICE, "m.room.aliases", Some("elsewhere.example"), json!({})).unwrap();
        assert!(room.attempt(BOB, "m.room.aliases", Some("a.example"), json!({})).is_err(), "{version}");
    }
}
