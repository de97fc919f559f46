//! Random rooms and events: our verdicts are those of another implementation of the same rules.

use parvis_events::RoomVersion;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::{ALICE, BOB, CARA, DAVE, Room};

const USERS: [&str; 4] = [ALICE, BOB, CARA, DAVE];

fn user() -> impl Strategy<Value = &'static str> {
    prop::sample::select(USERS.to_vec())
}

fn level() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => prop::sample::select(vec![0, 49, 50, 51, 100]).prop_map(|level: i64| json!(level)),
        1 => prop::sample::select(vec!["50", " 100 ", "x"]).prop_map(|level| json!(level)),
    ]
}

fn levels() -> impl Strategy<Value = Value> {
    let fields = prop::collection::btree_map(
        prop::sample::select(vec![
            "users_default",
            "events_default",
            "state_default",
            "ban",
            "redact",
            "kick",
            "invite",
        ]),
        level(),
        0..4,
    );
    let users = prop::collection::btree_map(user(), level(), 0..4);
    let events = prop::collection::btree_map(
        prop::sample::select(vec!["m.room.topic", "m.room.message", "m.room.power_levels"]),
        level(),
        0..3,
    );
    let notifications = prop::collection::btree_map(Just("room"), level(), 0..2);
    (fields, users, events, notifications).prop_map(|(fields, users, events, notifications)| {
        let mut content = json!({ "users": users, "events": events, "notifications": notifications });
        for (field, level) in fields {
            content[field] = level;
        }
        content
    })
}

fn membership() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["join", "join", "invite", "leave", "ban", "knock"])
}

/// An event: sender, type, state key and content.
fn event() -> impl Strategy<Value = (&'static str, &'static str, Option<String>, Value)> {
    let member = (user(), user(), membership(), prop::option::of(user())).prop_map(
        |(sender, target, membership, authoriser)| {
            let mut content = json!({ "membership": membership });
            if let Some(authoriser) = authoriser {
                content["join_authorised_via_users_server"] = json!(authoriser);
            }
            (sender, "m.room.member", Some(target.to_owned()), content)
        },
    );
    let own_member = (user(), membership()).prop_map(|(user, membership)| {
        (user, "m.room.member", Some(user.to_owned()), json!({ "membership": membership }))
    });
    let levels = (user(), levels())
        .prop_map(|(sender, levels)| (sender, "m.room.power_levels", Some(String::new()), levels));
    let kinds =
        vec!["m.room.topic", "m.room.message", "m.room.third_party_invite", "m.room.redaction", "custom"];
    let other = (
        user(),
        prop::sample::select(kinds),
        prop::option::of(prop_oneof![Just(String::new()), user().prop_map(ToOwned::to_owned)]),
    )
        .prop_map(|(sender, kind, state_key)| (sender, kind, state_key, json!({})));
    prop_oneof![member, own_member, levels, other]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn verdicts_by_state_agree(
        number in 6..=12_u8,
        federate in prop::option::of(any::<bool>()),
        additional in prop::option::of(user()),
        members in prop::collection::vec((user(), membership()), 0..6),
        levels in prop::option::of(levels()),
        join_rule in prop::sample::select(vec![
            "public", "invite", "knock", "restricted", "knock_restricted", "private",
        ]),
        (sender, kind, state_key, content) in event(),
    ) {
        let version: RoomVersion = number.to_string().parse().unwrap();
        let mut create = json!({});
        if let Some(federate) = federate {
            create["m.federate"] = json!(federate);
        }
        if let Some(additional) = additional {
            create["additional_creators"] = json!([additional]);
        }
        let mut room = Room::created(version, create).with_member(ALICE, "join");
        // Levels that are none never come to stand in a room's state.
        if let Some(levels) = levels.filter(|levels| Room::created(version, json!({}))
            .with_member(ALICE, "join").attempt(ALICE, "m.room.power_levels", Some(""), levels.clone()).is_ok())
        {
            room.put(ALICE, "m.room.power_levels", "", levels);
        }
        room.put(ALICE, "m.room.join_rules", "", json!({ "join_rule": join_rule }));
        for (user, membership) in members {
            room.put_member(user, membership);
        }
        let pdu = room.sign(room.draft(sender, kind, state_key.as_deref(), content));
        // Both compare with the other implementation, and fail where it differs.
        let _ = room.judge_by_state(&pdu);
        let _ = room.judge_by_citations(&pdu);
    }
}
