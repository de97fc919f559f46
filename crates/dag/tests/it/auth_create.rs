//! The rules for `m.room.create` (rule 1 in every version).

use parvis_events::RoomVersion;
use ruma::owned_room_id;
use serde_json::{Value, json};

use crate::world::{ALICE, Room, id, reason, versions};

fn create(version: RoomVersion, content: Value) -> Result<(), parvis_dag::AuthError> {
    let room = Room::empty(version);
    room.judge_by_citations(&room.sign(room.draft(ALICE, "m.room.create", Some(""), content)))
}

#[test]
fn ordinary_create_event_is_allowed() {
    for version in RoomVersion::supported() {
        create(version, json!({ "creator": ALICE, "room_version": version.as_str() })).unwrap();
        create(version, json!({ "creator": ALICE })).unwrap();
    }
}

#[test]
fn create_event_follows_nothing() {
    for version in RoomVersion::supported() {
        let mut room = Room::empty(version);
        room.ends = vec![id("$before")];
        let create = room.sign(room.draft(ALICE, "m.room.create", Some(""), json!({ "creator": ALICE })));
        assert_eq!(reason(room.judge_by_citations(&create)), "a create event follows no other event");
    }
}

#[test]
fn room_id_is_of_the_senders_server_before_version_12() {
    for version in versions(|version| !version.room_id_is_create_hash()) {
        let mut room = Room::empty(version);
        room.room_id = Some(owned_room_id!("!room:b.example"));
        let create = room.sign(room.draft(ALICE, "m.room.create", Some(""), json!({ "creator": ALICE })));
        assert!(reason(room.judge_by_citations(&create)).contains("server"), "{version}");
    }
}

/// The other implementation leaves this rule to its caller.
#[test]
fn room_version_must_be_known() {
    for version in RoomVersion::supported() {
        let room = Room::empty(version);
        for odd in [json!("org.example.unheard-of"), json!(11), json!(null)] {
            let content = json!({ "creator": ALICE, "room_version": odd });
            let create = room.sign(room.draft(ALICE, "m.room.create", Some(""), content));
            let verdict = parvis_dag::check_auth_events(&create, |_| None);
            assert!(reason(verdict).contains("room version"), "{version} {odd}");
        }
    }
}

#[test]
fn creator_must_be_named_before_version_11() {
    for version in RoomVersion::supported() {
        assert_eq!(create(version, json!({})).is_ok(), version.creator_is_sender(), "{version}");
    }
}

#[test]
fn additional_creators_are_user_ids_since_version_12() {
    for version in RoomVersion::supported() {
        let with = |users: Value| create(version, json!({ "creator": ALICE, "additional_creators": users }));
        with(json!(["@bob:b.example", "@Cara/x:b.example"])).unwrap();
        with(json!([])).unwrap();
        for odd in
            [json!("@bob:b.example"), json!([5]), json!(["bob"]), json!(["@bob"]), json!(null), json!({})]
        {
            assert_eq!(with(odd.clone()).is_err(), version.additional_creators(), "{version} {odd}");
        }
    }
}
