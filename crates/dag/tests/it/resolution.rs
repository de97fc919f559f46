//! State resolution on small forks, told as stories, in version 11 (algorithm 2) and version 12 (2.1).
//!
//! Every resolution here is also made by another implementation, and with the forks in the other order.

use std::collections::{HashMap, HashSet};

use parvis_dag::{Fork, Known, StateMap, auth_chain, conflicted_subgraph, resolve};
use parvis_events::{Pdu, RoomVersion};
use ruma::{EventId, OwnedEventId, events::StateEventType, state_res};
use serde_json::json;

use crate::world::{ALICE, BOB, CARA, DAVE, Room, Theirs, versions};

/// Everything that any of the rooms knows.
pub(crate) fn known(rooms: &[&Room]) -> HashMap<OwnedEventId, Known> {
    rooms.iter().flat_map(|room| room.known.clone()).collect()
}

/// A room's state as one side of a fork, with its full auth chain, to which the state's own events belong.
pub(crate) fn side(room: &Room, known: &HashMap<OwnedEventId, Known>) -> Fork {
    let state: StateMap =
        room.state.iter().map(|(key, pdu)| (key.clone(), pdu.event_id().to_owned())).collect();
    let ids = state.values().map(|id| &**id);
    let mut auth_chain = auth_chain(ids, |id| known.get(id).map(|known| known.pdu.clone()));
    auth_chain.extend(state.values().cloned());
    Fork { state, auth_chain }
}

/// What another implementation makes of the same forks.
fn resolved_by_theirs(
    version: RoomVersion,
    forks: &[Fork],
    known: &HashMap<OwnedEventId, Known>,
) -> StateMap {
    let states: Vec<state_res::StateMap<OwnedEventId>> = forks
        .iter()
        .map(|fork| {
            let entries = fork.state.iter();
            entries
                .map(|((kind, key), id)| ((StateEventType::from(kind.as_str()), key.clone()), id.clone()))
                .collect()
        })
        .collect();
    let resolved = state_res::resolve(
        &version.rules().authorization,
        version.rules().state_res.v2_rules().unwrap(),
        &states,
        forks.iter().map(|fork| fork.auth_chain.iter().cloned().collect()).collect(),
        |id| known.get(id).cloned().map(Theirs),
        |conflicted| {
            let conflicted = conflicted.values().flatten().cloned().collect();
            Some(
                conflicted_subgraph(&conflicted, |id| Some(known.get(id)?.pdu.clone())).into_iter().collect(),
            )
        },
    );
    resolved.unwrap().into_iter().map(|((kind, key), id)| ((kind.to_string(), key), id)).collect()
}

/// What we make of forks.
pub(crate) fn resolved_by_us(
    version: RoomVersion,
    forks: Vec<Fork>,
    known: &HashMap<OwnedEventId, Known>,
) -> StateMap {
    let pdu = |id: &EventId| Some(known.get(id)?.pdu.clone());
    resolve(version, forks, |id| known.get(id).cloned(), |of| Some(conflicted_subgraph(of, pdu))).unwrap()
}

/// Resolves forks in both orders and with reduced input, compares with the other implementation, and gives
/// the result.
pub(crate) fn resolved(rooms: &[&Room]) -> StateMap {
    let version = rooms[0].version;
    let known = known(rooms);
    let forks: Vec<Fork> = rooms.iter().map(|room| side(room, &known)).collect();
    let ours = resolved_by_us(version, forks.clone(), &known);
    let theirs = resolved_by_theirs(version, &forks, &known);
    assert_eq!(ours, theirs, "{version}");

    let reversed = forks.iter().rev().cloned().collect();
    assert_eq!(resolved_by_us(version, reversed, &known), ours, "{version}, the other way round");
    let mut agreed = forks[0].state.clone();
    agreed.retain(|key, id| forks.iter().all(|fork| fork.state.get(key) == Some(id)));
    let mut of_reduced = resolved_by_us(version, reduced(forks, &known), &known);
    of_reduced.extend(agreed);
    assert_eq!(of_reduced, ours, "{version}, of reduced input");
    ours
}

/// Only what differs, and what may be asked for in judging it; only the differences of the chains.
fn reduced(mut forks: Vec<Fork>, known: &HashMap<OwnedEventId, Known>) -> Vec<Fork> {
    let common: HashSet<OwnedEventId> = forks[0]
        .auth_chain
        .iter()
        .filter(|id| forks.iter().all(|fork| fork.auth_chain.contains(*id)))
        .cloned()
        .collect();
    let agreed: HashSet<(String, String)> = forks[0]
        .state
        .iter()
        .filter(|(key, id)| forks.iter().all(|fork| fork.state.get(*key) == Some(*id)))
        .map(|(key, _)| key.clone())
        .collect();
    for fork in &mut forks {
        fork.auth_chain.retain(|id| !common.contains(id));
    }
    let questioned: HashSet<OwnedEventId> = forks
        .iter()
        .flat_map(|fork| {
            let conflicted = fork.state.iter().filter(|(key, _)| !agreed.contains(*key)).map(|(_, id)| id);
            conflicted.chain(&fork.auth_chain).cloned().collect::<Vec<_>>()
        })
        .collect();
    let events: Vec<Pdu> = questioned.iter().filter_map(|id| Some(known.get(id)?.pdu.clone())).collect();
    let relevant = parvis_dag::relevant_keys(&events);
    for fork in &mut forks {
        fork.state.retain(|key, _| !agreed.contains(key) || relevant.contains(key));
    }
    forks
}

fn get<'a>(state: &'a StateMap, kind: &str, key: &str) -> Option<&'a OwnedEventId> {
    state.get(&(kind.to_owned(), key.to_owned()))
}

/// A public room where Bob is moderator and Cara and Dave are members.
fn base(version: RoomVersion) -> Room {
    let mut room = Room::new(version, "public", json!({ "users": { BOB: 50 } }));
    for user in [BOB, CARA, DAVE] {
        room.send(user, "m.room.member", Some(user), json!({ "membership": "join" }));
    }
    room
}

/// The versions that differ in how state is resolved.
fn both() -> impl Iterator<Item = RoomVersion> {
    versions(|version| [RoomVersion::V11, RoomVersion::V12].contains(&version))
}

fn topic(room: &mut Room, sender: &str, text: &str) -> Pdu {
    room.send(sender, "m.room.topic", Some(""), json!({ "topic": text }))
}

#[test]
fn single_state_and_equal_states_resolve_to_themselves() {
    for version in both() {
        let room = base(version);
        let state: StateMap = side(&room, &room.known).state;
        assert_eq!(resolved(&[&room]), state);
        assert_eq!(resolved(&[&room, &room, &room]), state);
        assert_eq!(resolve(version, Vec::new(), |_| None, |_| None).unwrap(), StateMap::new());
    }
}

#[test]
fn changes_of_different_things_come_together() {
    for version in both() {
        let base = base(version);
        let (mut left, mut right) = (base.clone(), base.clone());
        let topic = topic(&mut left, ALICE, "left");
        let name = right.send(BOB, "m.room.name", Some(""), json!({ "name": "right" }));
        let state = resolved(&[&left, &right]);
        assert_eq!(get(&state, "m.room.topic", "").unwrap(), topic.event_id());
        assert_eq!(get(&state, "m.room.name", "").unwrap(), name.event_id());
        assert_eq!(state.len(), base.state.len() + 2);
    }
}

#[test]
fn of_two_topics_the_later_one_stays() {
    for version in both() {
        let base = base(version);
        let (mut left, mut right) = (base.clone(), base);
        topic(&mut left, ALICE, "earlier");
        right.put("@x:y.example", "org.example.delay", "", json!({}));
        let later = topic(&mut right, BOB, "later");
        right.state.remove(&("org.example.delay".to_owned(), String::new()));
        let state = resolved(&[&left, &right]);
        assert_eq!(get(&state, "m.room.topic", "").unwrap(), later.event_id());
    }
}

#[test]
fn ban_on_one_side_undoes_what_the_banned_did_on_the_other() {
    for version in both() {
        let base = base(version);
        let (mut left, mut right) = (base.clone(), base);
        let ban = left.send(ALICE, "m.room.member", Some(BOB), json!({ "membership": "ban" }));
        topic(&mut right, BOB, "Bob's");
        let state = resolved(&[&left, &right]);
        assert_eq!(get(&state, "m.room.member", BOB).unwrap(), ban.event_id());
        assert_eq!(get(&state, "m.room.topic", ""), None);
    }
}

#[test]
fn of_two_who_ban_each_other_the_more_powerful_stays() {
    for version in both() {
        let base = base(version);
        let (mut left, mut right) = (base.clone(), base);
        // Bob, with 50, cannot ban Alice; he takes away nobody's rights but Cara's.
        let alices = left.send(ALICE, "m.room.member", Some(BOB), json!({ "membership": "ban" }));
        right.send(BOB, "m.room.member", Some(CARA), json!({ "membership": "ban" }));
        let state = resolved(&[&left, &right]);
        assert_eq!(get(&state, "m.room.member", BOB).unwrap(), alices.event_id());
        assert_eq!(state.get(&("m.room.member".into(), CARA.into())), Some(&right_cara(&left)));
    }
}

/// Cara's membership before anybody banned her.
fn right_cara(room: &Room) -> OwnedEventId {
    room.get("m.room.member", CARA).unwrap().event_id().to_owned()
}

#[test]
fn closing_the_room_on_one_side_keeps_out_who_joined_on_the_other() {
    for version in both() {
        let mut base = base(version);
        base.send(ALICE, "m.room.member", Some("@eve:b.example"), json!({ "membership": "invite" }));
        let (mut left, mut right) = (base.clone(), base);
        left.send(ALICE, "m.room.join_rules", Some(""), json!({ "join_rule": "invite" }));
        let uninvited = "@frank:b.example";
        right.send(uninvited, "m.room.member", Some(uninvited), json!({ "membership": "join" }));
        let invited = right.send(
            "@eve:b.example",
            "m.room.member",
            Some("@eve:b.example"),
            json!({ "membership": "join" }),
        );
        let state = resolved(&[&left, &right]);
        assert_eq!(get(&state, "m.room.member", uninvited), None);
        assert_eq!(get(&state, "m.room.member", "@eve:b.example").unwrap(), invited.event_id());
    }
}

#[test]
fn taking_away_power_on_one_side_undoes_its_use_on_the_other() {
    for version in both() {
        let base = base(version);
        let (mut left, mut right) = (base.clone(), base);
        let mut levels = json!({ "users": { BOB: 0 } });
        if !version.creators_have_infinite_power() {
            levels["users"][ALICE] = json!(100);
        }
        let demotion = left.send(ALICE, "m.room.power_levels", Some(""), levels);
        topic(&mut right, BOB, "while I may");
        let state = resolved(&[&left, &right]);
        assert_eq!(get(&state, "m.room.power_levels", "").unwrap(), demotion.event_id());
        assert_eq!(get(&state, "m.room.topic", ""), None);
    }
}

#[test]
fn three_forks_resolve_alike_in_any_order() {
    for version in both() {
        let base = base(version);
        let (mut one, mut two, mut three) = (base.clone(), base.clone(), base);
        one.send(ALICE, "m.room.member", Some(CARA), json!({ "membership": "ban" }));
        topic(&mut two, BOB, "two");
        three.send(CARA, "m.room.member", Some(CARA), json!({ "membership": "join", "displayname": "C" }));
        topic(&mut three, ALICE, "three");
        let expected = resolved(&[&one, &two, &three]);
        for order in [[&one, &three, &two], [&two, &one, &three], [&three, &two, &one], [&two, &three, &one]]
        {
            assert_eq!(resolved(&order), expected);
        }
    }
}

/// With algorithm 2, the agreed state (the join rules as they are now) judges old events and may turn them
/// away; 2.1 starts from nothing and judges them by the state that they themselves cite.
#[test]
fn old_members_are_not_lost_since_version_12() {
    for version in both() {
        let mut room = Room::new(version, "public", json!({}));
        let bob = room.send(BOB, "m.room.member", Some(BOB), json!({ "membership": "join" }));
        // Because of Cara, that the room was open once is no matter of dispute.
        room.send(CARA, "m.room.member", Some(CARA), json!({ "membership": "join" }));
        // Now the room is closed, and one side has lost Bob, who joined when it was open.
        room.send(ALICE, "m.room.join_rules", Some(""), json!({ "join_rule": "invite" }));
        let mut forgetful = room.clone();
        forgetful.state.remove(&("m.room.member".to_owned(), BOB.to_owned()));
        let state = resolved(&[&room, &forgetful]);
        let kept = get(&state, "m.room.member", BOB).map(|id| &**id);
        assert_eq!(kept, version.state_resolution_includes_subgraph().then(|| bob.event_id()), "{version}");
    }
}

/// Bob's join, which both sides hold, authorises what he did on one side. It is no matter of dispute, and does not
/// stand in the way of that: else his event would come after Cara's, since he had no power when he joined. Found
/// by comparing generated rooms with what Synapse makes of them.
#[test]
fn what_all_sides_hold_is_in_no_difference_of_chains() {
    for version in both() {
        let mut room = Room::new(version, "public", json!({ "users": { CARA: 75 } }));
        for user in [BOB, CARA] {
            room.send(user, "m.room.member", Some(user), json!({ "membership": "join" }));
        }
        let mut levels = json!({ "users": { BOB: 100, CARA: 75 } });
        if !version.creators_have_infinite_power() {
            levels["users"][ALICE] = json!(100);
        }
        room.send(ALICE, "m.room.power_levels", Some(""), levels);
        let (mut left, mut right) = (room.clone(), room);
        left.send(BOB, "m.room.join_rules", Some(""), json!({ "join_rule": "invite" }));
        let last = right.send(CARA, "m.room.join_rules", Some(""), json!({ "join_rule": "knock" }));
        let known = known(&[&left, &right]);
        let full_chain = |room: &Room| {
            let ids = room.state.values().map(|pdu| pdu.event_id());
            auth_chain(ids, |id| known.get(id).map(|known| known.pdu.clone()))
        };
        // Whether or not the chains name the events of the state themselves.
        for name_state in [true, false] {
            let forks = [&left, &right].map(|room| {
                let fork = side(room, &known);
                if name_state { fork } else { Fork { auth_chain: full_chain(room), ..fork } }
            });
            let state = resolved_by_us(version, forks.to_vec(), &known);
            assert_eq!(get(&state, "m.room.join_rules", "").unwrap(), last.event_id(), "{version}");
        }
    }
}

/// Between two conflicted events lies, on the path of their auth events, one on which no side's state
/// disagrees any more. Only 2.1 takes it into account.
#[test]
fn events_between_conflicted_ones_are_considered_since_version_12() {
    for version in both() {
        let mut room = Room::new(version, "public", json!({}));
        for user in [BOB, CARA] {
            room.send(user, "m.room.member", Some(user), json!({ "membership": "join" }));
        }
        let levels = |bob: i64, cara: i64| {
            let mut levels = json!({ "users": { BOB: bob, CARA: cara } });
            if !version.creators_have_infinite_power() {
                levels["users"][ALICE] = json!(100);
            }
            levels
        };
        let first = room.send(ALICE, "m.room.power_levels", Some(""), levels(100, 0));
        let old = room.clone();
        // Bob raises Cara; Cara, by that power, sets the newest levels.
        let between = room.send(BOB, "m.room.power_levels", Some(""), levels(100, 100));
        let newest = room.send(CARA, "m.room.power_levels", Some(""), levels(100, 100));
        let known = known(&[&old, &room]);
        let conflicted = [&first, &newest].map(|pdu| pdu.event_id().to_owned()).into();
        let subgraph = conflicted_subgraph(&conflicted, |id| Some(known.get(id)?.pdu.clone()));
        assert!(subgraph.contains(between.event_id()));
        let state = resolved(&[&old, &room]);
        assert_eq!(get(&state, "m.room.power_levels", "").unwrap(), newest.event_id(), "{version}");
    }
}

#[test]
fn rejected_and_unknown_events_have_no_part() {
    for version in both() {
        let base = base(version);
        let (mut left, right) = (base.clone(), base);
        let ban = left.send(ALICE, "m.room.member", Some(BOB), json!({ "membership": "ban" }));
        let mut known = known(&[&left, &right]);
        let forks = vec![side(&left, &known), side(&right, &known)];
        known.insert(ban.event_id().to_owned(), Known::rejected(ban.clone()));
        let state = resolved_by_us(version, forks.clone(), &known);
        assert_eq!(
            get(&state, "m.room.member", BOB),
            side(&right, &known).state.get(&("m.room.member".into(), BOB.into()))
        );
        known.remove(ban.event_id());
        assert_eq!(resolved_by_us(version, forks, &known), state);
    }
}

#[test]
fn version_with_another_algorithm_is_refused() {
    let version: RoomVersion = "1".parse().unwrap();
    assert!(resolve(version, Vec::new(), |_| None, |_| None).is_err());
    let base = base(RoomVersion::V12);
    let mut left = base.clone();
    topic(&mut left, ALICE, "x");
    let forks = vec![side(&left, &left.known), side(&base, &left.known)];
    let fetch = |id: &EventId| left.known.get(id).cloned();
    assert!(resolve(RoomVersion::V12, forks, fetch, |_| None).is_err(), "without a subgraph");
}
