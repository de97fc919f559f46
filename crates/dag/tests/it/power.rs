//! The view of power.

use parvis_dag::{Power, PowerLevels};
use parvis_events::{EventDraft, RoomVersion};
use ruma::{UserId, owned_room_id, user_id};
use serde_json::json;

use crate::world::{ALICE, BOB, CARA, DAVE, Room, versions};

fn levels(room: &Room) -> PowerLevels {
    PowerLevels::new(room.get("m.room.create", "").unwrap(), room.get("m.room.power_levels", ""))
}

fn user(name: &str) -> &UserId {
    name.try_into().unwrap()
}

#[test]
fn absent_levels_have_their_defaults() {
    for version in RoomVersion::supported() {
        for room in [Room::created(version, json!({})), Room::public(version)] {
            let levels = levels(&room);
            assert_eq!(
                (levels.to_ban(), levels.to_kick(), levels.to_redact(), levels.to_invite()),
                (50, 50, 50, 0)
            );
            assert_eq!(
                (levels.to_send("x"), levels.to_set_state("x"), levels.to_notify("room")),
                (0, 50, 50)
            );
            assert_eq!(levels.of(user(BOB)), Power::Level(0));
            let creator =
                if version.creators_have_infinite_power() { Power::Infinite } else { Power::Level(100) };
            assert_eq!(levels.of(user(ALICE)), creator, "{version}");
        }
    }
}

#[test]
fn given_levels_count() {
    for version in RoomVersion::supported() {
        let content = json!({ "ban": 1, "kick": 2, "redact": 3, "invite": 4, "events_default": 5, "state_default": 6,
            "users_default": 7, "users": { BOB: 8 }, "events": { "a": 9 }, "notifications": { "room": 10 } });
        let levels = levels(&Room::new(version, "public", content));
        assert_eq!((levels.to_ban(), levels.to_kick(), levels.to_redact(), levels.to_invite()), (1, 2, 3, 4));
        assert_eq!((levels.to_send("x"), levels.to_set_state("x")), (5, 6));
        assert_eq!((levels.to_send("a"), levels.to_set_state("a")), (9, 9));
        assert_eq!((levels.to_notify("room"), levels.to_notify("other")), (10, 50));
        assert_eq!((levels.of(user(CARA)), levels.of(user(BOB))), (Power::Level(7), Power::Level(8)));
        assert!(levels.can_send(user(BOB), "x") && !levels.can_send(user(BOB), "a"));
        assert!(levels.can_set_state(user(BOB), "x") && !levels.can_set_state(user(BOB), "a"));
        assert!(levels.can_kick(user(BOB), user(CARA)) && !levels.can_kick(user(CARA), user(BOB)));
        assert!(levels.can_ban(user(BOB), user(CARA)) && !levels.can_ban(user(CARA), user(DAVE)));
        assert!(levels.can_invite(user(BOB)) && !levels.can_notify(user(BOB), "room"));
        assert!(levels.can_notify(user(ALICE), "room"));
    }
}

#[test]
fn infinite_power_is_above_the_greatest_level() {
    assert!(Power::Infinite > Power::Level(i64::MAX));
    assert!(Power::Infinite.reaches(i64::MAX));
    for version in versions(RoomVersion::creators_have_infinite_power) {
        let content =
            json!({ "users": { BOB: 9_007_199_254_740_991_i64 }, "ban": 9_007_199_254_740_991_i64 });
        let levels = levels(&Room::new(version, "public", content));
        assert!(levels.can_ban(user(ALICE), user(BOB)) && !levels.can_ban(user(BOB), user(ALICE)));
    }
}

#[test]
fn additional_creators_have_infinite_power_since_version_12() {
    for version in RoomVersion::supported() {
        let levels = levels(&Room::created(version, json!({ "additional_creators": [CARA] })));
        assert_eq!(levels.of(user(CARA)) == Power::Infinite, version.additional_creators(), "{version}");
    }
}

#[test]
fn redaction_takes_effect_by_power_or_by_server() {
    for version in RoomVersion::supported() {
        let room = Room::new(version, "public", json!({ "redact": 50, "users": { DAVE: 50 } }));
        let levels = levels(&room);
        let event = |sender: &str| room.sign(room.draft(sender, "m.room.message", None, json!({})));
        let redaction = |sender: &str| {
            let target = Some(event(ALICE).event_id().to_owned());
            room.sign(EventDraft {
                redacts: target,
                ..room.draft(sender, "m.room.redaction", None, json!({}))
            })
        };
        assert!(levels.redaction_takes_effect(&redaction(DAVE), &event(ALICE)), "power, other server");
        assert!(levels.redaction_takes_effect(&redaction(BOB), &event(ALICE)), "no power, same server");
        assert!(levels.redaction_takes_effect(&redaction(ALICE), &event(CARA)), "creator");
        assert!(!levels.redaction_takes_effect(&redaction(BOB), &event(CARA)), "no power, other server");
        let elsewhere = EventDraft {
            room_id: Some(owned_room_id!("!other:a.example")),
            ..room.draft(ALICE, "m.room.message", None, json!({}))
        };
        assert!(!levels.redaction_takes_effect(&redaction(ALICE), &room.sign(elsewhere)), "another room");
    }
}

#[test]
fn joins_are_vouched_for_by_the_most_powerful_who_may_invite() {
    for version in RoomVersion::supported() {
        let content = json!({ "invite": 20, "users": { BOB: 20, CARA: 30, DAVE: 10 } });
        let levels = levels(&Room::new(version, "restricted", content));
        let among =
            |users: &[&'static str]| levels.who_may_authorise_joins(users.iter().map(|name| user(name)));
        assert_eq!(among(&[DAVE, BOB, CARA]), Some(user(CARA)));
        assert_eq!(among(&[DAVE, CARA, ALICE, BOB]), Some(user(ALICE)));
        assert_eq!(among(&[DAVE]), None);
        assert_eq!(among(&[]), None);
    }
}

#[test]
fn unreadable_levels_count_as_absent() {
    let room = Room::new(RoomVersion::V11, "public", json!({ "ban": "all" }));
    assert_eq!(levels(&room).to_ban(), 50);
    assert_eq!(levels(&room).of(user_id!("@x:y.example")), Power::Level(0));
}
