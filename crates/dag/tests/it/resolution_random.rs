//! State resolution on random graphs: forks within forks, with random times, compared with another
//! implementation, and resolved in every order.

use std::collections::HashSet;

use parvis_dag::conflicted_subgraph;
use parvis_events::{EventDraft, Pdu, RoomVersion};
use proptest::prelude::*;
use ruma::{EventId, OwnedEventId};
use serde_json::{Value, json};

use crate::{
    resolution::{known, resolved},
    world::{ALICE, BOB, CARA, DAVE, Room},
};

const USERS: [&str; 4] = [ALICE, BOB, CARA, DAVE];

/// Something that somebody tries.
#[derive(Debug, Clone)]
struct Try {
    sender: &'static str,
    kind: &'static str,
    state_key: &'static str,
    content: Value,
    time: i64,
}

fn user() -> impl Strategy<Value = &'static str> {
    prop::sample::select(USERS.to_vec())
}

fn attempts() -> impl Strategy<Value = Vec<Try>> {
    let member = (user(), user(), prop::sample::select(vec!["join", "leave", "ban", "invite", "knock"]))
        .prop_map(|(sender, target, to)| (sender, "m.room.member", target, json!({ "membership": to })));
    let own =
        (user(), prop::sample::select(vec!["join", "leave"]), any::<u8>()).prop_map(|(user, to, name)| {
            (user, "m.room.member", user, json!({ "membership": to, "displayname": name.to_string() }))
        });
    let level = || prop::sample::select(vec![0_i64, 50, 100]);
    let levels = (user(), level(), level(), level(), level()).prop_map(|(sender, bob, cara, dave, topic)| {
        let content =
            json!({ "users": { BOB: bob, CARA: cara, DAVE: dave }, "events": { "m.room.topic": topic } });
        (sender, "m.room.power_levels", "", content)
    });
    let rules = (user(), prop::sample::select(vec!["public", "invite", "knock"]))
        .prop_map(|(sender, rule)| (sender, "m.room.join_rules", "", json!({ "join_rule": rule })));
    let topic = (user(), any::<u8>())
        .prop_map(|(sender, text)| (sender, "m.room.topic", "", json!({ "topic": text.to_string() })));
    let attempt = (prop_oneof![member, own, levels, rules, topic], 0_i64..30).prop_map(
        |((sender, kind, state_key, content), time)| Try { sender, kind, state_key, content, time },
    );
    prop::collection::vec(attempt, 0..8)
}

/// Lets everything happen that the state on this side allows. Where resolution left no join rules, nothing
/// does: about such rooms the implementations differ.
fn play(room: &mut Room, attempts: Vec<Try>) {
    if room.get("m.room.join_rules", "").is_none() {
        return;
    }
    for Try { sender, kind, state_key, mut content, time } in attempts {
        if kind == "m.room.power_levels" && !room.version.creators_have_infinite_power() {
            content["users"][ALICE] = json!(100);
        }
        let draft = room.draft(sender, kind, Some(state_key), content);
        let pdu = room.sign(EventDraft { origin_server_ts: time, ..draft });
        if room.judge_by_state(&pdu).is_ok() {
            room.admit(pdu);
        }
    }
}

/// The room after its forks have met: their resolved state, and everything known.
fn merged(forks: &[&Room]) -> Room {
    let state = resolved(forks);
    let known = known(forks);
    let mut room = forks[0].clone();
    room.state = state.into_iter().map(|(key, id)| (key, known[&id].pdu.clone())).collect();
    room.known = known;
    room
}

/// The conflicted state subgraph by its definition: every path, walked one by one.
fn paths_between(
    conflicted: &HashSet<OwnedEventId>,
    fetch: &dyn Fn(&EventId) -> Option<Pdu>,
) -> HashSet<OwnedEventId> {
    fn walk(
        path: &mut Vec<OwnedEventId>,
        conflicted: &HashSet<OwnedEventId>,
        fetch: &dyn Fn(&EventId) -> Option<Pdu>,
        found: &mut HashSet<OwnedEventId>,
    ) {
        let last = path.last().unwrap().clone();
        if conflicted.contains(&last) {
            found.extend(path.iter().cloned());
        }
        for next in fetch(&last).iter().flat_map(|pdu| pdu.auth_events()) {
            path.push(next.clone());
            walk(path, conflicted, fetch, found);
            path.pop();
        }
    }
    let mut found = HashSet::new();
    for start in conflicted {
        walk(&mut vec![start.clone()], conflicted, fetch, &mut found);
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every verdict inside is compared with the other implementation: see `resolved`.
    #[test]
    fn forks_of_forks_resolve_as_elsewhere_and_in_any_order(
        number in 6..=12_u8,
        common in attempts(),
        sides in prop::collection::vec(attempts(), 2..4),
        later in prop::collection::vec(attempts(), 2..3),
    ) {
        let version: RoomVersion = number.to_string().parse().unwrap();
        let mut room = Room::new(version, "public", json!({ "users": { BOB: 50, CARA: 50 } }));
        for user in [BOB, CARA, DAVE] {
            room.put_member(user, "join");
        }
        play(&mut room, common);

        let play_from = |room: &Room, sides: Vec<Vec<Try>>| -> Vec<Room> {
            let mut forks = vec![room.clone(); sides.len()];
            for (fork, attempts) in forks.iter_mut().zip(sides) {
                play(fork, attempts);
            }
            forks
        };
        let first = play_from(&room, sides);
        let first: Vec<&Room> = first.iter().collect();
        let meeting = merged(&first);
        let mut rotated = first.clone();
        rotated.rotate_left(1);
        prop_assert_eq!(resolved(&rotated), resolved(&first));

        // The meeting and a side that has not heard of it go on, and meet again.
        let mut second = play_from(&meeting, later);
        second.push(first[0].clone());
        let second: Vec<&Room> = second.iter().collect();
        let end = merged(&second);
        prop_assert!(end.state.contains_key(&("m.room.create".to_owned(), String::new())));

        let known = &end.known;
        let conflicted: HashSet<OwnedEventId> = first
            .iter()
            .flat_map(|fork| fork.state.iter().filter(|(key, pdu)| room.state.get(*key) != Some(*pdu)))
            .map(|(_, pdu)| pdu.event_id().to_owned())
            .take(6)
            .collect();
        let fetch = |id: &EventId| Some(known.get(id)?.pdu.clone());
        prop_assert_eq!(conflicted_subgraph(&conflicted, fetch), paths_between(&conflicted, &fetch));
    }
}
