//! Walking the graph of events: order, ends, and chains of authorisation.
//!
//! These walk over events in memory. For large rooms, storage keeps its own compact form of the same edges.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
};

use parvis_events::Pdu;
use ruma::{EventId, OwnedEventId};

/// Orders events so that each stands after those that it follows.
///
/// Where the graph leaves the order open, the older `origin_server_ts` comes first, then the smaller event
/// id: the order does not depend on the order of arrival. Claimed depths are not looked at. Events that
/// follow one another in a circle (which hashes make impossible) would be left out; an event given twice
/// comes back once.
pub fn topological_order(events: impl IntoIterator<Item = Pdu>) -> Vec<Pdu> {
    let events: HashMap<OwnedEventId, Pdu> =
        events.into_iter().map(|event| (event.owned_event_id().clone(), event)).collect();
    let mut waiting: HashMap<&EventId, usize> = HashMap::with_capacity(events.len());
    let mut children: HashMap<&EventId, Vec<&Pdu>> = HashMap::new();
    let mut ready = BinaryHeap::new();
    for event in events.values() {
        let parents: HashSet<&OwnedEventId> =
            event.prev_events().iter().filter(|parent| events.contains_key(*parent)).collect();
        if parents.is_empty() {
            ready.push(Reverse((event.origin_server_ts(), event.event_id())));
        }
        waiting.insert(event.event_id(), parents.len());
        for parent in parents {
            children.entry(parent).or_default().push(event);
        }
    }

    let mut order = Vec::with_capacity(events.len());
    while let Some(Reverse((_, id))) = ready.pop() {
        order.extend(events.get(id).cloned());
        for child in children.get(id).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(child.event_id()) {
                *count -= 1;
                if *count == 0 {
                    ready.push(Reverse((child.origin_server_ts(), child.event_id())));
                }
            }
        }
    }
    order
}

/// The events that no other of them follows, in order of their ids.
pub fn forward_extremities<'a>(events: impl IntoIterator<Item = &'a Pdu>) -> Vec<OwnedEventId> {
    let mut ends = HashSet::new();
    let mut followed = HashSet::new();
    for event in events {
        ends.insert(event.owned_event_id());
        followed.extend(event.prev_events());
    }
    let mut ends: Vec<OwnedEventId> = ends.difference(&followed).map(|id| (*id).clone()).collect();
    ends.sort();
    ends
}

/// The forward extremities after an accepted event: those that it follows make way for it.
///
/// Not to be called for events that were rejected or soft-failed: those change nothing.
pub fn advance_extremities(current: &[OwnedEventId], event: &Pdu) -> Vec<OwnedEventId> {
    let mut next: Vec<OwnedEventId> =
        current.iter().filter(|end| !event.prev_events().contains(end)).cloned().collect();
    if !next.contains(event.owned_event_id()) {
        next.push(event.owned_event_id().clone());
    }
    next
}

/// Every event by which the given ones are authorised, directly or not, without the given ones themselves
/// unless one authorises another. Events that `fetch` does not know are in the chain, but not walked. Where
/// the room id is the create event's hash, nothing cites the create event, so it is in no chain.
pub fn auth_chain<'a>(
    of: impl IntoIterator<Item = &'a EventId>,
    fetch: impl Fn(&EventId) -> Option<Pdu>,
) -> HashSet<OwnedEventId> {
    let mut chain = HashSet::new();
    let mut to_walk: Vec<OwnedEventId> = of.into_iter().map(ToOwned::to_owned).collect();
    while let Some(id) = to_walk.pop() {
        let Some(event) = fetch(&id) else { continue };
        for authoriser in event.auth_events() {
            if chain.insert(authoriser.clone()) {
                to_walk.push(authoriser.clone());
            }
        }
    }
    chain
}

/// The conflicted state subgraph: every event on a path, over auth events, from one conflicted event to
/// another, both ends included. <https://spec.matrix.org/v1.19/rooms/v12/#state-resolution>
pub fn conflicted_subgraph(
    conflicted: &HashSet<OwnedEventId>,
    fetch: impl Fn(&EventId) -> Option<Pdu>,
) -> HashSet<OwnedEventId> {
    // Down: everything that conflicted events are authorised by, with the edges turned around.
    let mut cited_by: HashMap<OwnedEventId, Vec<OwnedEventId>> = HashMap::new();
    let mut seen: HashSet<OwnedEventId> = conflicted.clone();
    let mut to_walk: Vec<OwnedEventId> = conflicted.iter().cloned().collect();
    while let Some(id) = to_walk.pop() {
        let Some(event) = fetch(&id) else { continue };
        for authoriser in event.auth_events() {
            cited_by.entry(authoriser.clone()).or_default().push(id.clone());
            if seen.insert(authoriser.clone()) {
                to_walk.push(authoriser.clone());
            }
        }
    }
    // Up again, from the conflicted events: what is met lies between two of them.
    let mut between = conflicted.clone();
    let mut to_climb: Vec<OwnedEventId> = conflicted.iter().cloned().collect();
    while let Some(id) = to_climb.pop() {
        for above in cited_by.get(&id).into_iter().flatten() {
            if between.insert(above.clone()) {
                to_climb.push(above.clone());
            }
        }
    }
    between
}
