//! The two orders in which conflicted events are applied. Both are total: they depend on nothing but the
//! events themselves.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use parvis_events::Pdu;
use ruma::{EventId, OwnedEventId};

use crate::{
    known::create_event_id,
    power::{Power, PowerLevels},
};

/// Reverse topological power ordering: what authorises stands before what it authorises; where that leaves
/// the order open, greater power, then the earlier time, then the smaller event id comes first.
pub(super) fn by_power(
    events: HashMap<OwnedEventId, Pdu>,
    accepted: &dyn Fn(&EventId) -> Option<Pdu>,
) -> Vec<Pdu> {
    let mut waiting: HashMap<&EventId, usize> = HashMap::with_capacity(events.len());
    let mut authorised_by: HashMap<&EventId, Vec<&Pdu>> = HashMap::new();
    let mut ready = BinaryHeap::new();
    let rank = |pdu: &Pdu| {
        let power = sender_power(pdu, accepted);
        Reverse((Reverse(power), pdu.origin_server_ts(), pdu.owned_event_id().clone()))
    };
    for pdu in events.values() {
        let mut authorisers: Vec<&OwnedEventId> =
            pdu.auth_events().iter().filter(|id| events.contains_key(*id)).collect();
        authorisers.sort_unstable();
        authorisers.dedup();
        if authorisers.is_empty() {
            ready.push(rank(pdu));
        }
        waiting.insert(pdu.event_id(), authorisers.len());
        for id in authorisers {
            authorised_by.entry(id).or_default().push(pdu);
        }
    }

    let mut order = Vec::with_capacity(events.len());
    while let Some(Reverse((_, _, id))) = ready.pop() {
        for pdu in authorised_by.remove(&*id).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(pdu.event_id()) {
                *count -= 1;
                if *count == 0 {
                    ready.push(rank(pdu));
                }
            }
        }
        order.extend(events.get(&id).cloned());
    }
    order
}

/// The power that an event's own auth events give its sender.
fn sender_power(pdu: &Pdu, accepted: &dyn Fn(&EventId) -> Option<Pdu>) -> Power {
    let create_id = create_event_id(pdu);
    let cited: Vec<Pdu> = pdu.auth_events().iter().chain(&create_id).filter_map(|id| accepted(id)).collect();
    let find = |kind: &str| cited.iter().find(|pdu| pdu.is_state_of(kind, ""));
    let create = if pdu.is_create() { Some(pdu) } else { find("m.room.create") };
    match create {
        Some(create) => PowerLevels::new(create, find("m.room.power_levels")).of(pdu.sender()),
        // Every event cites, or names by its room id, the create event.
        None => Power::Level(0),
    }
}

/// Mainline ordering: events that go by older power levels come first, those that go by none before them;
/// then the earlier time, then the smaller event id.
pub(super) fn by_mainline(
    mut events: Vec<Pdu>,
    power_levels: Option<Pdu>,
    accepted: &dyn Fn(&EventId) -> Option<Pdu>,
) -> Vec<Pdu> {
    let mut positions: HashMap<OwnedEventId, usize> = HashMap::new();
    let mut next = power_levels;
    while let Some(levels) = next.filter(|levels| !positions.contains_key(levels.event_id())) {
        positions.insert(levels.owned_event_id().clone(), positions.len());
        next = power_levels_of(&levels, accepted);
    }
    // Nothing found is farther than anything. What was walked over is remembered for the next event.
    let mut position = |pdu: &Pdu| {
        let mut walked = Vec::new();
        let mut next = power_levels_of(pdu, accepted);
        let mut found = usize::MAX;
        while let Some(levels) = next {
            if let Some(position) = positions.get(levels.event_id()) {
                found = *position;
                break;
            }
            positions.insert(levels.owned_event_id().clone(), usize::MAX);
            next = power_levels_of(&levels, accepted);
            walked.push(levels);
        }
        for levels in walked {
            positions.insert(levels.owned_event_id().clone(), found);
        }
        found
    };
    events.sort_by_cached_key(|pdu| {
        (Reverse(position(pdu)), pdu.origin_server_ts(), pdu.owned_event_id().clone())
    });
    events
}

/// The power levels among an event's auth events.
fn power_levels_of(pdu: &Pdu, accepted: &dyn Fn(&EventId) -> Option<Pdu>) -> Option<Pdu> {
    let mut cited = pdu.auth_events().iter().filter_map(|id| accepted(id));
    cited.find(|pdu| pdu.is_state_of("m.room.power_levels", ""))
}
