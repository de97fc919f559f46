//! State resolution: the one state that the forks of a room agree on.
//!
//! Algorithm 2 and, since room version 12, 2.1. What both sides of a fork hold alike is only looked up, never
//! copied or sorted, so the cost grows with what differs and not with the room.
//! <https://spec.matrix.org/v1.19/rooms/v12/#state-resolution>

mod order;

use std::collections::{BTreeSet, HashMap, HashSet};

use parvis_events::{Membership, Pdu, RoomVersion};
use ruma::{EventId, OwnedEventId};

use self::order::{by_mainline, by_power};
use crate::{
    auth::{auth_types_of, authorise},
    known::{Known, create_event_id},
};

/// A state of a room: event ids by (type, state key).
pub type StateMap = HashMap<(String, String), OwnedEventId>;

/// One side of a fork.
#[derive(Debug, Clone, Default)]
pub struct Fork {
    /// The state on this side: all of it, or only the keys that are not the same on all sides together with
    /// the [`relevant_keys`].
    pub state: StateMap,
    /// The full auth chain of that state, or only what is not in the chains of all sides. The events of the state
    /// count as part of it, whether they are named here or not: so where keys are left out of `state`, the events
    /// under them must not be here either.
    pub auth_chain: HashSet<OwnedEventId>,
}

/// Why the state could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolutionError {
    /// The room version has an algorithm that is not spoken here.
    #[error("state resolution of room version {0} is not known")]
    Version(RoomVersion),
    /// The conflicted state subgraph could not be given.
    #[error("the conflicted state subgraph is missing")]
    Subgraph,
}

/// Resolves the states of several forks into one.
///
/// `fetch` looks events up by id and is called very often: it must look in memory. It must know the
/// conflicted events, all events of the auth chains that are not in all of them, and the auth events of
/// those; what it does not know is passed over, as nobody could verify it. `subgraph` gives the conflicted
/// state subgraph of a set of conflicted events, such as [`crate::conflicted_subgraph`] does; it is only
/// called for versions that want it.
///
/// The result holds every key on which the sides agree and the keys that were resolved. It does not depend
/// on the order of the forks. Where keys on which all sides agree were left out, lay the agreed state over
/// the result: it always wins.
///
/// # Errors
///
/// [`ResolutionError`]. Nothing that a peer sends makes this fail.
pub fn resolve(
    version: RoomVersion,
    forks: Vec<Fork>,
    fetch: impl Fn(&EventId) -> Option<Known>,
    subgraph: impl Fn(&HashSet<OwnedEventId>) -> Option<HashSet<OwnedEventId>>,
) -> Result<StateMap, ResolutionError> {
    if version.rules().state_res.v2_rules().is_none() {
        return Err(ResolutionError::Version(version));
    }
    let (states, chains): (Vec<_>, Vec<_>) =
        forks.into_iter().map(|fork| (fork.state, fork.auth_chain)).unzip();
    let (mut agreed, conflicted) = split(states);
    if conflicted.is_empty() {
        return Ok(agreed);
    }
    // An event that all sides hold is in no difference, though only some hold others that it authorises: the
    // specification's words leave a state's own events out of its chain, but the servers that rooms are shared
    // with count them in, and all must resolve alike.
    let held: HashSet<&OwnedEventId> = agreed.values().collect();
    let difference: Vec<OwnedEventId> = auth_difference(chains).filter(|id| !held.contains(id)).collect();

    let between = if version.state_resolution_includes_subgraph() {
        subgraph(&conflicted).ok_or(ResolutionError::Subgraph)?
    } else {
        HashSet::new()
    };
    // The full conflicted set, without what nobody can verify and what was rejected.
    let accepted = |id: &EventId| fetch(id).filter(|known| !known.rejected).map(|known| known.pdu);
    let full: HashMap<OwnedEventId, Pdu> = conflicted
        .into_iter()
        .chain(between)
        .chain(difference)
        .filter_map(|id| accepted(&id).map(|pdu| (id, pdu)))
        .collect();

    let start_from_agreed = !version.state_resolution_includes_subgraph();
    let base = start_from_agreed.then_some(&agreed);
    let mut partial = PartialState { base, resolved: HashMap::new(), accepted: &accepted };
    let power_events = by_power(with_auth_chains(&full), &accepted);
    let is_power_event: HashSet<&EventId> = power_events.iter().map(|pdu| pdu.event_id()).collect();
    partial.apply(&power_events);
    let others = full.values().filter(|pdu| !is_power_event.contains(pdu.event_id())).cloned();
    let others = by_mainline(others.collect(), partial.get("m.room.power_levels", ""), &accepted);
    partial.apply(&others);

    let resolved = std::mem::take(&mut partial.resolved);
    for (kind, of_kind) in resolved {
        for (state_key, pdu) in of_kind {
            // What all sides hold alike wins.
            agreed.entry((kind.clone(), state_key)).or_insert_with(|| pdu.owned_event_id().clone());
        }
    }
    Ok(agreed)
}

/// The keys of the state by which any of these events could be authorised. Of a large state on which all
/// sides agree, only these are needed to resolve a fork in which these events (the conflicted ones, and the
/// differences of the auth chains) are in question.
pub fn relevant_keys<'a>(events: impl IntoIterator<Item = &'a Pdu>) -> BTreeSet<(String, String)> {
    let mut keys = BTreeSet::new();
    for event in events {
        // An event that cannot be authorised by any state needs none.
        keys.extend(auth_types_of(event).unwrap_or_default());
    }
    keys
}

/// Splits states into what all of them hold alike, and the ids of everything else.
fn split(mut states: Vec<StateMap>) -> (StateMap, HashSet<OwnedEventId>) {
    let Some(mut agreed) = states.pop() else { return Default::default() };
    let mut conflicted = HashSet::new();
    agreed.retain(|key, id| {
        let holds = states.iter().all(|state| state.get(key) == Some(id));
        if !holds {
            conflicted.insert(id.clone());
        }
        holds
    });
    for state in states {
        conflicted.extend(state.into_iter().filter(|(key, _)| !agreed.contains_key(key)).map(|(_, id)| id));
    }
    (agreed, conflicted)
}

/// What is in some chains, but not in all of them.
fn auth_difference(chains: Vec<HashSet<OwnedEventId>>) -> impl Iterator<Item = OwnedEventId> {
    let count = chains.len();
    let mut seen: HashMap<OwnedEventId, usize> = HashMap::new();
    for id in chains.into_iter().flatten() {
        *seen.entry(id).or_default() += 1;
    }
    seen.into_iter().filter(move |(_, times)| *times < count).map(|(id, _)| id)
}

/// The power events of the full conflicted set, with whatever of the set they are authorised by.
fn with_auth_chains(full: &HashMap<OwnedEventId, Pdu>) -> HashMap<OwnedEventId, Pdu> {
    let mut selected = HashMap::new();
    let mut to_walk: Vec<&Pdu> = full.values().filter(|pdu| is_power_event(pdu)).collect();
    while let Some(pdu) = to_walk.pop() {
        if selected.insert(pdu.owned_event_id().clone(), pdu.clone()).is_none() {
            to_walk.extend(pdu.auth_events().iter().filter_map(|id| full.get(id)));
        }
    }
    selected
}

/// Whether an event might take away somebody's ability to do something.
fn is_power_event(pdu: &Pdu) -> bool {
    match pdu.kind() {
        "m.room.create" | "m.room.power_levels" | "m.room.join_rules" => pdu.state_key() == Some(""),
        "m.room.member" => {
            matches!(pdu.membership(), Some(Membership::Leave | Membership::Ban))
                && pdu.state_key() != Some(pdu.sender().as_str())
        }
        _ => false,
    }
}

/// The state while it is being resolved.
struct PartialState<'a> {
    /// The agreed state, where the algorithm starts from it.
    base: Option<&'a StateMap>,
    /// What was resolved so far, by type and state key.
    resolved: HashMap<String, HashMap<String, Pdu>>,
    accepted: &'a dyn Fn(&EventId) -> Option<Pdu>,
}

impl PartialState<'_> {
    fn get(&self, kind: &str, state_key: &str) -> Option<Pdu> {
        if let Some(pdu) = self.resolved.get(kind).and_then(|of_kind| of_kind.get(state_key)) {
            return Some(pdu.clone());
        }
        (self.accepted)(self.base?.get(&(kind.to_owned(), state_key.to_owned()))?)
    }

    /// Iterative auth checks: takes over each event that the state so far allows. Where the state lacks what
    /// the rules ask for, the event's own auth events stand in.
    fn apply(&mut self, events: &[Pdu]) {
        for pdu in events {
            let Some(state_key) = pdu.state_key() else { continue };
            let create = create_event_id(pdu);
            let cited = pdu.auth_events().iter().chain(&create);
            let cited: Vec<Pdu> = cited.filter_map(|id| (self.accepted)(id)).collect();
            let look_up = |kind: &str, key: &str| {
                self.get(kind, key).or_else(|| cited.iter().find(|pdu| pdu.is_state_of(kind, key)).cloned())
            };
            if authorise(pdu, look_up).is_ok() {
                let of_kind = self.resolved.entry(pdu.kind().to_owned()).or_default();
                of_kind.insert(state_key.to_owned(), pdu.clone());
            }
        }
    }
}
