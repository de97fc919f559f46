//! The rules for `m.room.power_levels` (rule 9; rule 10 since version 12).

use parvis_dag::AuthError;
use parvis_events::RoomVersion;
use serde_json::{Value, json};

use crate::world::{ALICE, BOB, CARA, DAVE, Room, reason, versions};

const FIELDS: [&str; 7] =
    ["users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"];

/// Whether Bob, who has the level 50, may replace these power levels by those.
fn bob_changes(version: RoomVersion, old: &Value, new: &Value) -> Result<(), AuthError> {
    let complete = |levels: &Value| {
        let mut levels = levels.clone();
        levels["events"]["m.room.power_levels"] = json!(50);
        let users = levels["users"].as_object().cloned().unwrap_or_default();
        let mut all = json!({ BOB: 50, CARA: 50, DAVE: 49 });
        if !version.creators_have_infinite_power() {
            all[ALICE] = json!(100);
        }
        all.as_object_mut().unwrap().extend(users);
        all.as_object_mut().unwrap().retain(|_, level| !level.is_null());
        levels["users"] = all;
        levels
    };
    let mut room = Room::public(version);
    room.put(ALICE, "m.room.power_levels", "", complete(old));
    room.with_member(BOB, "join").attempt(BOB, "m.room.power_levels", Some(""), complete(new))
}

#[test]
fn levels_that_do_not_change_are_no_matter() {
    for version in RoomVersion::supported() {
        let levels = json!({ "ban": 100, "users": { "@x:y.example": 99 }, "events": { "x": 100 } });
        bob_changes(version, &levels, &levels).unwrap();
    }
}

#[test]
fn field_changes_only_between_levels_within_reach() {
    for version in RoomVersion::supported() {
        for field in FIELDS {
            for (old, new, allowed) in [
                (json!(10), json!(50), true),
                (json!(50), json!(10), true),
                (json!(10), json!(51), false),
                (json!(51), json!(10), false),
                (json!(51), json!(52), false),
            ] {
                let verdict = bob_changes(version, &json!({ field: old }), &json!({ field: new }));
                assert_eq!(verdict.is_ok(), allowed, "{version} {field} {old} {new}: {verdict:?}");
            }
            // Added and removed.
            bob_changes(version, &json!({}), &json!({ field: 50 })).unwrap();
            assert!(bob_changes(version, &json!({}), &json!({ field: 51 })).is_err());
            bob_changes(version, &json!({ field: 50 }), &json!({})).unwrap();
            assert!(bob_changes(version, &json!({ field: 51 }), &json!({})).is_err());
        }
    }
}

#[test]
fn entries_of_events_change_only_between_levels_within_reach() {
    for version in RoomVersion::supported() {
        for (old, new, allowed) in [
            (json!({ "x": 10 }), json!({ "x": 50 }), true),
            (json!({ "x": 10 }), json!({ "x": 51 }), false),
            (json!({ "x": 51 }), json!({ "x": 10 }), false),
            (json!({ "x": 51 }), json!({}), false),
            (json!({ "x": 50 }), json!({}), true),
            (json!({}), json!({ "x": 51 }), false),
            (json!({}), json!({ "x": 50 }), true),
        ] {
            let verdict = bob_changes(version, &json!({ "events": old }), &json!({ "events": new }));
            assert_eq!(verdict.is_ok(), allowed, "{version} {old} {new}: {verdict:?}");
        }
    }
}

#[test]
fn entries_of_notifications_are_limited_in_every_supported_version() {
    for version in RoomVersion::supported() {
        assert!(version.limits_notification_levels());
        for (old, new, allowed) in [
            (json!({ "room": 10 }), json!({ "room": 50 }), true),
            (json!({ "room": 10 }), json!({ "room": 51 }), false),
            (json!({ "room": 51 }), json!({}), false),
            (json!({}), json!({ "room": 51 }), false),
            (json!({}), json!({ "room": 50 }), true),
        ] {
            let verdict =
                bob_changes(version, &json!({ "notifications": old }), &json!({ "notifications": new }));
            assert_eq!(verdict.is_ok(), allowed, "{version} {old} {new}: {verdict:?}");
        }
    }
}

#[test]
fn users_of_equal_power_are_out_of_reach_but_oneself_is_not() {
    for version in RoomVersion::supported() {
        for (new, allowed) in [
            (json!({ BOB: 10 }), true),
            (json!({ BOB: null }), true),
            (json!({ BOB: 51 }), false),
            (json!({ CARA: 10 }), false),
            (json!({ CARA: null }), false),
            (json!({ CARA: 51 }), false),
            (json!({ DAVE: 0 }), true),
            (json!({ DAVE: null }), true),
            (json!({ DAVE: 50 }), true),
            (json!({ DAVE: 51 }), false),
            (json!({ "@new:x.example": 50 }), true),
            (json!({ "@new:x.example": 51 }), false),
        ] {
            let verdict = bob_changes(version, &json!({}), &json!({ "users": new }));
            assert_eq!(verdict.is_ok(), allowed, "{version} {new}: {verdict:?}");
        }
        let refusal = reason(bob_changes(version, &json!({}), &json!({ "users": { CARA: 10 } })));
        assert_eq!(
            refusal,
            "the power level of `users.@cara:b.example`, 50, is not within reach of a sender with 50"
        );
    }
}

#[test]
fn first_power_levels_may_say_anything_well_formed() {
    for version in RoomVersion::supported() {
        let room = Room::created(version, json!({})).with_member(ALICE, "join");
        let levels = json!({ "users": { BOB: 5000 }, "ban": 1000, "events": { "x": 999 }, "notifications": { "room": 999 } });
        room.attempt(ALICE, "m.room.power_levels", Some(""), levels).unwrap();
    }
}

#[test]
fn what_is_no_level_is_refused() {
    for version in RoomVersion::supported() {
        let room = Room::created(version, json!({})).with_member(ALICE, "join");
        let attempt = |levels: Value| room.attempt(ALICE, "m.room.power_levels", Some(""), levels);
        attempt(json!({})).unwrap();
        for odd in [json!(null), json!("high"), json!(true), json!([]), json!({})] {
            for field in FIELDS {
                assert!(attempt(json!({ field: odd })).is_err(), "{version} {field} {odd}");
            }
            for map in ["users", "events", "notifications"] {
                assert!(attempt(json!({ map: { BOB: odd } })).is_err(), "{version} {map} {odd}");
            }
        }
        for odd in [json!(null), json!(5), json!([]), json!("x")] {
            for map in ["users", "events", "notifications"] {
                assert!(attempt(json!({ map: odd })).is_err(), "{version} {map} {odd}");
            }
        }
        for user in ["bob", "@bob", "", "bob:a.example"] {
            assert!(attempt(json!({ "users": { user: 1 } })).is_err(), "{version} {user}");
        }
    }
}

#[test]
fn strings_of_digits_are_levels_until_version_9() {
    for version in RoomVersion::supported() {
        let room = Room::created(version, json!({})).with_member(ALICE, "join");
        let attempt = |level: &str| {
            let fields =
                room.attempt(ALICE, "m.room.power_levels", Some(""), json!({ "ban": level })).is_ok();
            let map =
                json!({ "users": { BOB: level }, "events": { "x": level }, "notifications": { "y": level } });
            assert_eq!(room.attempt(ALICE, "m.room.power_levels", Some(""), map).is_ok(), fields);
            fields
        };
        for level in ["50", "-50", "+50", "0050", " 50 ", "\t50\n", "9007199254740991"] {
            assert_eq!(attempt(level), !version.integer_power_levels(), "{version} {level:?}");
        }
        for level in ["", "five", "5.0", "5 0", "+-5", "9007199254740992", "0x10"] {
            assert!(!attempt(level), "{version} {level:?}");
        }
    }
}

#[test]
fn power_levels_written_as_strings_count() {
    for version in versions(|version| !version.integer_power_levels()) {
        let levels =
            json!({ "users": { ALICE: "100", BOB: " +30 " }, "events": { "heavy": "31", "light": "030" } });
        let mut room = Room::public(version);
        room.put(ALICE, "m.room.power_levels", "", levels);
        let room = room.with_member(BOB, "join");
        room.attempt(BOB, "light", None, json!({})).unwrap();
        assert!(room.attempt(BOB, "heavy", None, json!({})).is_err());
    }
}

#[test]
fn creators_are_not_named_among_users_since_version_12() {
    for version in RoomVersion::supported() {
        let mut room = Room::created(version, json!({ "additional_creators": [CARA] }));
        room.put_member(ALICE, "join");
        for creator in [ALICE, CARA] {
            let verdict =
                room.attempt(ALICE, "m.room.power_levels", Some(""), json!({ "users": { creator: 100 } }));
            assert_eq!(verdict.is_ok(), !version.creators_have_infinite_power(), "{version} {creator}");
        }
        room.attempt(ALICE, "m.room.power_levels", Some(""), json!({ "users": { BOB: 100 } })).unwrap();
    }
}

#[test]
fn creator_grants_any_level_since_version_12() {
    let most = json!(9_007_199_254_740_991_i64);
    for version in RoomVersion::supported() {
        let room = Room::public(version);
        let mut levels = json!({ "users": { BOB: most } });
        if !version.creators_have_infinite_power() {
            levels["users"][ALICE] = json!(100);
        }
        let verdict = room.attempt(ALICE, "m.room.power_levels", Some(""), levels);
        assert_eq!(verdict.is_ok(), version.creators_have_infinite_power(), "{version}");
    }
}
