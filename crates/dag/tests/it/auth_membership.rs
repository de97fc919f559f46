//! The rules for `m.room.member` (rule 4; rule 5 since version 12).

use parvis_events::RoomVersion;
use serde_json::json;

use crate::world::{ALICE, BOB, CARA, DAVE, Room, reason, versions};

const MEMBERSHIPS: [&str; 5] = ["invite", "join", "knock", "leave", "ban"];

#[test]
fn membership_event_needs_state_key_and_membership() {
    for version in RoomVersion::supported() {
        let room = Room::public(version);
        assert!(room.attempt(BOB, "m.room.member", None, json!({ "membership": "join" })).is_err());
        for content in [json!({}), json!({ "membership": null }), json!({ "membership": "dance" })] {
            assert!(room.attempt(BOB, "m.room.member", Some(BOB), content).is_err(), "{version}");
        }
        assert!(room.attempt_member(BOB, "bob", "join").is_err(), "the state key is no user id");
    }
}

#[test]
fn creator_joins_first_and_only_the_creator() {
    for version in RoomVersion::supported() {
        let room = Room::created(version, json!({ "additional_creators": [CARA] }));
        room.attempt_member(ALICE, ALICE, "join").unwrap();
        for other in [BOB, CARA] {
            assert_eq!(
                reason(room.judge_by_state_alone(&room.sign(room.draft(
                    other,
                    "m.room.member",
                    Some(other),
                    json!({ "membership": "join" })
                )))),
                format!("{other} is not invited"),
                "{version}"
            );
        }
    }
}

#[test]
fn creators_first_join_follows_nothing_but_the_create_event() {
    for version in RoomVersion::supported() {
        let mut room = Room::created(version, json!({}));
        room.ends.push(crate::world::id("$another"));
        room.put(ALICE, "m.room.join_rules", "", json!({ "join_rule": "invite" }));
        assert!(room.attempt_member(ALICE, ALICE, "join").is_err(), "{version}");
    }
}

#[test]
fn creator_named_in_content_counts_before_version_11() {
    for version in RoomVersion::supported() {
        let room = Room::created(version, json!({ "creator": BOB }));
        let joins = |user: &str| {
            let draft = room.draft(user, "m.room.member", Some(user), json!({ "membership": "join" }));
            room.judge_by_state_alone(&room.sign(draft)).is_ok()
        };
        assert_eq!(joins(ALICE), version.creator_is_sender(), "{version}");
        assert_eq!(joins(BOB), !version.creator_is_sender(), "{version}");
    }
}

#[test]
fn nobody_joins_for_another() {
    for version in RoomVersion::supported() {
        let refusal = reason(Room::public(version).attempt_member(ALICE, BOB, "join"));
        assert_eq!(refusal, "@alice:a.example cannot join on behalf of @bob:a.example");
    }
}

/// For each join rule: since which version it exists, and who may join by it.
#[test]
fn join_rules_let_in_whom_they_should() {
    let exists = |rule: &str, version: RoomVersion| match rule {
        "knock" => version.knocking(),
        "restricted" => version.restricted(),
        "knock_restricted" => version.knock_restricted(),
        "public" | "invite" => true,
        _ => false,
    };
    for version in RoomVersion::supported() {
        for rule in ["public", "invite", "knock", "restricted", "knock_restricted", "private", "unheard-of"] {
            for membership in MEMBERSHIPS {
                let room = Room::new(version, rule, json!({})).with_member(BOB, membership);
                let welcome = matches!(membership, "invite" | "join");
                let expected = exists(rule, version) && membership != "ban" && (rule == "public" || welcome);
                let verdict = room.attempt_member(BOB, BOB, "join");
                assert_eq!(verdict.is_ok(), expected, "{version} {rule} {membership}: {verdict:?}");
            }
        }
    }
}

/// The other implementation refuses every join where there is no join rule.
#[test]
fn room_without_join_rule_is_for_the_invited() {
    for version in RoomVersion::supported() {
        for content in [None, Some(json!({}))] {
            let mut room =
                Room::created(version, json!({})).with_member(ALICE, "join").with_member(BOB, "invite");
            if let Some(content) = content {
                room.put(ALICE, "m.room.join_rules", "", content);
            }
            let joins = |user: &str| {
                let draft = room.draft(user, "m.room.member", Some(user), json!({ "membership": "join" }));
                room.judge_by_state_alone(&room.sign(draft)).is_ok()
            };
            assert!(joins(ALICE), "a new display name");
            assert!(joins(BOB));
            assert!(!joins(CARA));
        }
    }
}

#[test]
fn restricted_join_is_vouched_for_by_a_member_who_may_invite() {
    for version in versions(RoomVersion::restricted) {
        let rules: &[&str] =
            if version.knock_restricted() { &["restricted", "knock_restricted"] } else { &["restricted"] };
        for rule in rules {
            let levels = json!({ "invite": 50, "users": { BOB: 50, DAVE: 50 } });
            let room = Room::new(version, rule, levels).with_member(BOB, "join").with_member(DAVE, "leave");
            let vouched = |by: &str| {
                let content = json!({ "membership": "join", "join_authorised_via_users_server": by });
                room.attempt(CARA, "m.room.member", Some(CARA), content)
            };
            vouched(ALICE).unwrap();
            vouched(BOB).unwrap();
            assert!(reason(vouched(DAVE)).contains("not in the room"), "{version}");
            let weak = room.clone().with_member("@eve:b.example", "join");
            let content =
                json!({ "membership": "join", "join_authorised_via_users_server": "@eve:b.example" });
            assert!(weak.attempt(CARA, "m.room.member", Some(CARA), content).is_err(), "{version}");
            assert!(vouched("@nobody:b.example").is_err());
            assert!(
                reason(room.attempt_member(CARA, CARA, "join")).contains("no member of the room vouches")
            );
            let banned = room.clone().with_member(CARA, "ban");
            let content = json!({ "membership": "join", "join_authorised_via_users_server": ALICE });
            assert!(banned.attempt(CARA, "m.room.member", Some(CARA), content).is_err());
        }
    }
}

#[test]
fn creators_vouch_by_their_infinite_power() {
    let levels = json!({ "invite": 100, "users": { BOB: 99 } });
    for version in versions(RoomVersion::creators_have_infinite_power) {
        let room = Room::new(version, "restricted", levels.clone()).with_member(BOB, "join");
        for (by, allowed) in [(ALICE, true), (BOB, false)] {
            let content = json!({ "membership": "join", "join_authorised_via_users_server": by });
            assert_eq!(room.attempt(CARA, "m.room.member", Some(CARA), content).is_ok(), allowed);
        }
    }
}

#[test]
fn invitations_come_from_members_with_power_to_whom_is_outside() {
    for version in RoomVersion::supported() {
        let levels = json!({ "invite": 10, "users": { BOB: 10 } });
        let room = Room::new(version, "invite", levels).with_member(BOB, "join").with_member(DAVE, "join");
        room.attempt_member(ALICE, CARA, "invite").unwrap();
        room.attempt_member(BOB, CARA, "invite").unwrap();
        let refusal = reason(room.attempt_member(DAVE, CARA, "invite"));
        assert_eq!(refusal, "inviting needs the power level 10, @dave:b.example has 0");
        for (membership, allowed) in MEMBERSHIPS.into_iter().zip([true, false, true, true, false]) {
            let room = room.clone().with_member(CARA, membership);
            assert_eq!(room.attempt_member(ALICE, CARA, "invite").is_ok(), allowed, "{version} {membership}");
        }
        for membership in ["invite", "knock", "leave", "ban"] {
            let room = room.clone().with_member(BOB, membership);
            assert_eq!(reason(room.attempt_member(BOB, CARA, "invite")), "@bob:a.example is not in the room");
        }
    }
}

#[test]
fn everybody_may_leave_who_is_there() {
    for version in RoomVersion::supported() {
        for (membership, allowed) in
            MEMBERSHIPS.into_iter().zip([true, true, version.knocking(), false, false])
        {
            let room = Room::public(version).with_member(BOB, membership);
            assert_eq!(room.attempt_member(BOB, BOB, "leave").is_ok(), allowed, "{version} {membership}");
        }
        assert!(Room::public(version).attempt_member(BOB, BOB, "leave").is_err());
    }
}

/// (sender's level, target's level, target's membership) → may the sender remove, or lift the ban?
#[test]
fn removing_needs_the_kick_level_and_more_power_than_the_target() {
    for version in RoomVersion::supported() {
        for (sender, target, membership, allowed) in [
            (40, 0, "join", true),
            (40, 39, "join", true),
            (40, 40, "join", false),
            (39, 0, "join", false),
            (40, 0, "invite", true),
            (40, 0, "knock", true),
            (40, 0, "leave", true),
            (40, 0, "ban", false),
            (60, 0, "ban", true),
            (59, 0, "ban", false),
            (60, 60, "ban", false),
        ] {
            let levels = json!({ "kick": 40, "ban": 60, "users": { BOB: sender, CARA: target } });
            let room =
                Room::new(version, "public", levels).with_member(BOB, "join").with_member(CARA, membership);
            let verdict = room.attempt_member(BOB, CARA, "leave");
            assert_eq!(verdict.is_ok(), allowed, "{version} {sender} {target} {membership} {verdict:?}");
        }
        let levels = json!({ "kick": 60, "ban": 40, "users": { BOB: 50 } });
        let room = Room::new(version, "public", levels).with_member(BOB, "join").with_member(CARA, "ban");
        assert!(room.attempt_member(BOB, CARA, "leave").is_err(), "lifting a ban needs the kick level too");
    }
}

#[test]
fn banning_needs_the_ban_level_and_more_power_than_the_target() {
    for version in RoomVersion::supported() {
        for (sender, target, allowed) in [(60, 0, true), (60, 59, true), (60, 60, false), (59, 0, false)] {
            for membership in MEMBERSHIPS {
                let levels = json!({ "ban": 60, "users": { BOB: sender, CARA: target } });
                let room = Room::new(version, "public", levels)
                    .with_member(BOB, "join")
                    .with_member(CARA, membership);
                assert_eq!(
                    room.attempt_member(BOB, CARA, "ban").is_ok(),
                    allowed,
                    "{version} {sender} {target}"
                );
            }
        }
    }
}

#[test]
fn who_is_not_in_the_room_removes_and_bans_nobody() {
    for version in RoomVersion::supported() {
        let levels = json!({ "users": { BOB: 100 } });
        for membership in ["invite", "knock", "leave", "ban"] {
            let room = Room::new(version, "public", levels.clone())
                .with_member(BOB, membership)
                .with_member(CARA, "join");
            assert!(room.attempt_member(BOB, CARA, "leave").is_err());
            assert!(room.attempt_member(BOB, CARA, "ban").is_err());
        }
    }
}

#[test]
fn no_level_reaches_a_creator_since_version_12() {
    let most = 9_007_199_254_740_991_i64;
    for version in versions(RoomVersion::creators_have_infinite_power) {
        let mut room = Room::created(version, json!({ "additional_creators": [DAVE] }));
        room.put_member(ALICE, "join");
        room.put(ALICE, "m.room.power_levels", "", json!({ "users": { BOB: most } }));
        room.put(ALICE, "m.room.join_rules", "", json!({ "join_rule": "public" }));
        let room = room.with_member(BOB, "join").with_member(DAVE, "join").with_member(CARA, "join");
        for creator in [ALICE, DAVE] {
            assert!(room.attempt_member(BOB, creator, "leave").is_err());
            assert!(room.attempt_member(BOB, creator, "ban").is_err());
            room.attempt_member(creator, BOB, "ban").unwrap();
        }
        assert!(room.attempt_member(ALICE, DAVE, "leave").is_err(), "creators are each other's equals");
        room.attempt_member(BOB, CARA, "ban").unwrap();
    }
}

#[test]
fn knocking_is_for_outsiders_where_the_join_rule_has_it() {
    for version in RoomVersion::supported() {
        for rule in ["public", "invite", "knock", "restricted", "knock_restricted", "private"] {
            let open = match rule {
                "knock" => version.knocking(),
                "knock_restricted" => version.knock_restricted(),
                _ => false,
            };
            for (membership, outside) in MEMBERSHIPS.into_iter().zip([false, false, true, true, false]) {
                let room = Room::new(version, rule, json!({})).with_member(BOB, membership);
                let verdict = room.attempt_member(BOB, BOB, "knock");
                assert_eq!(verdict.is_ok(), open && outside, "{version} {rule} {membership}: {verdict:?}");
            }
            let room = Room::new(version, rule, json!({}));
            assert_eq!(room.attempt_member(BOB, BOB, "knock").is_ok(), open, "{version} {rule}");
            assert!(room.attempt_member(ALICE, BOB, "knock").is_err(), "nobody knocks for another");
        }
    }
}
