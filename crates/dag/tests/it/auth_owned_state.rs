//! The rule for state keys that begin with `@`, and what becomes of it where state is owned (MSC3757).

use parvis_events::RoomVersion;
use serde_json::json;

use crate::world::{ALICE, BOB, CARA, Room};

/// A room of Alice's, who has the power 100, with Bob and Cara in it, where anybody sets state of type `desk`.
fn room(version: RoomVersion) -> Room {
    let mut room = Room::public(version);
    let levels = json!({ "users": { ALICE: 100 }, "events": { "desk": 0 } });
    room.put(ALICE, "m.room.power_levels", "", levels);
    room.with_member(BOB, "join").with_member(CARA, "join")
}

fn may_set(room: &Room, sender: &str, state_key: &str) -> bool {
    room.attempt(sender, "desk", Some(state_key), json!({})).is_ok()
}

#[test]
fn nobody_writes_under_the_id_of_another_user() {
    for version in RoomVersion::supported().filter(|version| !version.creators_have_infinite_power()) {
        let room = room(version);
        assert!(may_set(&room, BOB, BOB) && may_set(&room, BOB, "desk"), "{version}");
        for key in [CARA.to_owned(), format!("{BOB}_desk"), "@oops".to_owned()] {
            assert!(!may_set(&room, ALICE, &key), "{version}: {key}");
        }
    }
}

#[test]
fn where_state_is_owned_its_owner_writes_it_and_who_stands_above_them() {
    for version in RoomVersion::proposed() {
        let room = room(version);
        for key in [BOB.to_owned(), format!("{BOB}_desk"), format!("{BOB}_desk:!@2")] {
            assert!(may_set(&room, BOB, &key) && may_set(&room, ALICE, &key), "{version}: {key}");
            assert!(!may_set(&room, CARA, &key), "{version}: {key}");
        }
        assert!(may_set(&room, ALICE, "@gone:elsewhere"), "{version}: of who is not there");
        for key in [format!("{BOB}desk"), format!("@x_{BOB}_desk")] {
            assert!(!may_set(&room, BOB, &key), "{version}: {key}");
        }
        for key in ["@oops".to_owned(), format!("{ALICE}@desk_2")] {
            assert!(!may_set(&room, ALICE, &key), "{version}: {key}");
        }
    }
}
