//! Order, ends and chains.

use std::collections::{HashMap, HashSet};

use parvis_dag::{
    advance_extremities, auth_chain, conflicted_subgraph, forward_extremities, topological_order,
};
use parvis_events::{EventDraft, Pdu, RoomVersion};
use proptest::prelude::*;
use ruma::OwnedEventId;
use serde_json::json;

use crate::world::{ALICE, Room};

/// A message with these parents and this time.
fn message(room: &Room, parents: &[&Pdu], ts: i64) -> Pdu {
    let draft = room.draft(ALICE, "m.room.message", None, json!({ "ts": ts }));
    room.sign(EventDraft {
        prev_events: parents.iter().map(|parent| parent.event_id().to_owned()).collect(),
        origin_server_ts: ts,
        ..draft
    })
}

fn ids(events: &[Pdu]) -> Vec<OwnedEventId> {
    events.iter().map(|event| event.event_id().to_owned()).collect()
}

#[test]
fn children_stand_after_parents_whatever_their_times_say() {
    let room = Room::public(RoomVersion::DEFAULT);
    let first = message(&room, &[], 900);
    let left = message(&room, &[&first], 100);
    let right = message(&room, &[&first], 50);
    let merge = message(&room, &[&left, &right], 1);
    let order = topological_order([merge.clone(), left.clone(), right.clone(), first.clone()]);
    assert_eq!(ids(&order), ids(&[first, right, left, merge]));
}

#[test]
fn event_given_twice_comes_once_and_unknown_parents_are_passed_over() {
    let room = Room::public(RoomVersion::DEFAULT);
    let unknown = message(&room, &[], 1);
    let child = message(&room, &[&unknown], 2);
    assert_eq!(ids(&topological_order([child.clone(), child.clone()])), ids(&[child]));
    assert!(topological_order([]).is_empty());
}

#[test]
fn ends_are_what_nobody_follows() {
    let room = Room::public(RoomVersion::DEFAULT);
    let first = message(&room, &[], 1);
    let left = message(&room, &[&first], 2);
    let right = message(&room, &[&first], 3);
    let mut expected = ids(&[left.clone(), right.clone()]);
    expected.sort();
    assert_eq!(forward_extremities([&first, &left, &right]), expected);

    let mut ends = advance_extremities(&[], &first);
    ends = advance_extremities(&ends, &left);
    assert_eq!(ends, ids(std::slice::from_ref(&left)));
    ends = advance_extremities(&ends, &right);
    assert_eq!(ends, ids(&[left.clone(), right.clone()]));
    assert_eq!(advance_extremities(&ends, &right), ends, "once more changes nothing");
    let merge = message(&room, &[&left, &right], 4);
    assert_eq!(advance_extremities(&ends, &merge), ids(&[merge]));
}

#[test]
fn auth_chain_reaches_to_the_start_of_the_room() {
    for version in RoomVersion::supported() {
        let room = Room::public(version);
        let message = room.sign(room.draft(ALICE, "m.room.message", None, json!({})));
        let fetch = |id: &ruma::EventId| {
            if id == message.event_id() {
                Some(message.clone())
            } else {
                Some(room.known.get(id)?.pdu.clone())
            }
        };
        let chain = auth_chain([message.event_id()], fetch);
        let kinds: HashSet<String> = chain.iter().map(|id| room.known[id].pdu.kind().to_owned()).collect();
        let mut expected: HashSet<String> = ["m.room.member", "m.room.power_levels"].map(Into::into).into();
        if !version.room_id_is_create_hash() {
            expected.insert("m.room.create".into());
        }
        assert_eq!(kinds, expected, "{version}");
        assert!(!chain.contains(message.event_id()));
    }
}

#[test]
fn subgraph_holds_what_lies_between_conflicted_events_and_nothing_else() {
    // a ← b ← c ← d and b ← e: between a and c lies b; d and e lie on no path.
    let room = Room::public(RoomVersion::V12);
    let citing = |cited: &[&Pdu], ts: i64| {
        let draft = room.draft(ALICE, "x", Some(""), json!({ "ts": ts }));
        let auth_events = cited.iter().map(|pdu| pdu.event_id().to_owned()).collect();
        room.sign(EventDraft { auth_events, ..draft })
    };
    let a = citing(&[], 1);
    let b = citing(&[&a], 2);
    let c = citing(&[&b], 3);
    let d = citing(&[&c], 4);
    let e = citing(&[&b], 5);
    let all: HashMap<_, _> = [&a, &b, &c, &d, &e].map(|pdu| (pdu.event_id().to_owned(), pdu.clone())).into();
    let subgraph = |of: &[&Pdu]| {
        let conflicted = of.iter().map(|pdu| pdu.event_id().to_owned()).collect();
        conflicted_subgraph(&conflicted, |id| all.get(id).cloned())
    };
    let set = |of: &[&Pdu]| of.iter().map(|pdu| pdu.event_id().to_owned()).collect::<HashSet<_>>();
    assert_eq!(subgraph(&[&a, &c]), set(&[&a, &b, &c]));
    assert_eq!(subgraph(&[&a, &d]), set(&[&a, &b, &c, &d]));
    assert_eq!(subgraph(&[&c, &e]), set(&[&c, &e]), "no path leads from one to the other");
    assert_eq!(subgraph(&[&a]), set(&[&a]));
    assert_eq!(subgraph(&[]), set(&[]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any graph, given in any order: parents first, and always the same order.
    #[test]
    fn order_does_not_depend_on_arrival(
        parents in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..3), 1..20),
        times in prop::collection::vec(0_i64..5, 20),
        seed in any::<u64>(),
    ) {
        let room = Room::public(RoomVersion::DEFAULT);
        let mut events: Vec<Pdu> = Vec::new();
        for (index, parents) in parents.iter().enumerate() {
            let parents: Vec<Pdu> = match events.as_slice() {
                [] => Vec::new(),
                some => parents.iter().map(|index| index.get(some).clone()).collect(),
            };
            let parents: Vec<&Pdu> = parents.iter().collect();
            let event = message(&room, &parents, times[index]);
            events.push(event);
        }
        let order = topological_order(events.iter().cloned());
        let position: HashMap<_, _> = order.iter().enumerate().map(|(at, event)| (event.event_id(), at)).collect();
        prop_assert_eq!(position.len(), events.len());
        for event in &events {
            for parent in event.prev_events() {
                prop_assert!(position[&**parent] < position[event.event_id()]);
            }
        }
        let mut shuffled = events;
        let length = shuffled.len();
        for at in 0..length {
            shuffled.swap(at, (seed as usize).wrapping_mul(31).wrapping_add(at * 7) % length);
        }
        prop_assert_eq!(ids(&topological_order(shuffled)), ids(&order));
    }
}
