//! History visibility: the five rules, for every membership, and the two exceptions.

use parvis_dag::{HistoryVisibility, Standing, may_see, server_may_see};
use parvis_events::{Membership, RoomVersion};
use ruma::UserId;
use serde_json::json;

use crate::world::{ALICE, BOB, Room};

const VISIBILITIES: [HistoryVisibility; 4] = [
    HistoryVisibility::WorldReadable,
    HistoryVisibility::Shared,
    HistoryVisibility::Invited,
    HistoryVisibility::Joined,
];
const MEMBERSHIPS: [Membership; 5] =
    [Membership::Invite, Membership::Join, Membership::Knock, Membership::Leave, Membership::Ban];

fn bob() -> &'static UserId {
    BOB.try_into().unwrap()
}

/// The rules as a table: world-readable; member; shared and joined later; invited and invited; nothing else.
fn expected(visibility: HistoryVisibility, membership: Membership, joined_later: bool) -> bool {
    match visibility {
        HistoryVisibility::WorldReadable => true,
        _ if membership == Membership::Join => true,
        HistoryVisibility::Shared => joined_later,
        HistoryVisibility::Invited => membership == Membership::Invite,
        HistoryVisibility::Joined => false,
    }
}

#[test]
fn message_is_seen_as_the_five_rules_say() {
    let room = Room::public(RoomVersion::DEFAULT);
    let message = room.sign(room.draft(ALICE, "m.room.message", None, json!({})));
    for visibility in VISIBILITIES {
        for membership in MEMBERSHIPS {
            for joined_later in [false, true] {
                let before = Standing { visibility, membership };
                assert_eq!(
                    may_see(&message, bob(), before, joined_later),
                    expected(visibility, membership, joined_later),
                    "{visibility:?} {membership} {joined_later}"
                );
            }
        }
    }
}

#[test]
fn change_of_visibility_is_seen_by_whom_either_side_lets_see() {
    let room = Room::public(RoomVersion::DEFAULT);
    for before in VISIBILITIES {
        for after in VISIBILITIES {
            let content = json!({ "history_visibility": after.as_str() });
            let change = room.sign(room.draft(ALICE, "m.room.history_visibility", Some(""), content));
            for membership in MEMBERSHIPS {
                for joined_later in [false, true] {
                    let standing = Standing { visibility: before, membership };
                    assert_eq!(
                        may_see(&change, bob(), standing, joined_later),
                        expected(before, membership, joined_later)
                            || expected(after, membership, joined_later)
                    );
                }
            }
        }
    }
}

#[test]
fn own_membership_event_is_seen_by_whom_either_side_lets_see() {
    let room = Room::public(RoomVersion::DEFAULT);
    for visibility in VISIBILITIES {
        for before in MEMBERSHIPS {
            for after in MEMBERSHIPS {
                let content = json!({ "membership": after.as_str() });
                let own = room.sign(room.draft(ALICE, "m.room.member", Some(BOB), content.clone()));
                let others = room.sign(room.draft(ALICE, "m.room.member", Some(ALICE), content));
                let standing = Standing { visibility, membership: before };
                assert_eq!(
                    may_see(&own, bob(), standing, false),
                    expected(visibility, before, false) || expected(visibility, after, false),
                    "{visibility:?} {before} {after}"
                );
                assert_eq!(may_see(&others, bob(), standing, false), expected(visibility, before, false));
            }
        }
    }
}

#[test]
fn joining_and_leaving_oneself_is_always_seen() {
    let room = Room::public(RoomVersion::DEFAULT);
    for (before, after) in
        [(Membership::Leave, "join"), (Membership::Join, "leave"), (Membership::Join, "ban")]
    {
        let own = room.sign(room.draft(BOB, "m.room.member", Some(BOB), json!({ "membership": after })));
        let standing = Standing { visibility: HistoryVisibility::Joined, membership: before };
        assert!(may_see(&own, bob(), standing, false));
    }
}

#[test]
fn visibility_is_read_from_its_event_and_otherwise_shared() {
    let room = Room::public(RoomVersion::DEFAULT);
    assert_eq!(HistoryVisibility::of(None), HistoryVisibility::Shared);
    let read = |content| {
        let event = room.sign(room.draft(ALICE, "m.room.history_visibility", Some(""), content));
        HistoryVisibility::of(Some(&event))
    };
    for visibility in VISIBILITIES {
        assert_eq!(read(json!({ "history_visibility": visibility.as_str() })), visibility);
    }
    for odd in [json!({}), json!({ "history_visibility": "secret" }), json!({ "history_visibility": 1 })] {
        assert_eq!(read(odd), HistoryVisibility::Shared);
    }
}

#[test]
fn server_sees_what_any_of_its_users_could() {
    for visibility in VISIBILITIES {
        for membership in MEMBERSHIPS {
            let open = matches!(visibility, HistoryVisibility::WorldReadable | HistoryVisibility::Shared);
            assert_eq!(
                server_may_see(Standing { visibility, membership }),
                open || expected(visibility, membership, false)
            );
        }
    }
}
