//! State resolution: the one state that forks of a room agree on.
//!
//! Algorithm 2 and, since room version 12, 2.1, by ruma's `state-res`. What is added here is the reduction
//! of its input to what differs, so that the cost does not grow with the room.
//! <https://spec.matrix.org/v1.19/rooms/v12/#state-resolution>

use std::collections::{HashMap, HashSet};

use parvis_events::{Pdu, RoomVersion};
use ruma::{
    EventId, OwnedEventId,
    events::StateEventType,
    state_res::{self, utils::event_id_set::EventIdSet},
};

use crate::{Known, auth::auth_types_of, bridge::Bridge};

/// A state of a room: event ids by (type, state key).
pub type StateMap = HashMap<(String, String), OwnedEventId>;

/// One side of a fork.
#[derive(Debug, Clone, Default)]
pub struct Fork {
    /// The state on this side: all of it, or only the keys that are not the same on all sides together with
    /// the [`relevant_keys`].
    pub state: StateMap,
    /// The full auth chain of that state, or only what is not in the chains of all sides.
    pub auth_chain: HashSet<OwnedEventId>,
}

/// Why the state could not be resolved: something that had to be known was not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolutionError {
    /// The room version has an algorithm that is not spoken here.
    #[error("state resolution of room version {0} is not known")]
    Version(RoomVersion),
    /// An event, or the conflicted state subgraph, is missing or malformed.
    #[error("state cannot be resolved: {0}")]
    Input(String),
}

/// Resolves the states of several forks into one.
///
/// `fetch` looks events up by id and is called very often: it must look in memory. It must know the
/// conflicted events, all events of the auth chains that are not in all of them, and the auth events of
/// those. `subgraph` gives the conflicted state subgraph of a set of conflicted events, such as
/// [`crate::conflicted_subgraph`] does; it is only called for versions that want it.
///
/// The result holds every key that any side has; keys that were left out on all sides are left out.
///
/// # Errors
///
/// [`ResolutionError`]. Nothing that a peer sends makes this panic.
pub fn resolve(
    version: RoomVersion,
    forks: Vec<Fork>,
    fetch: impl Fn(&EventId) -> Option<Known>,
    subgraph: impl Fn(&HashSet<OwnedEventId>) -> Option<HashSet<OwnedEventId>>,
) -> Result<StateMap, ResolutionError> {
    let rules = version.rules();
    let Some(state_res_rules) = rules.state_res.v2_rules() else {
        return Err(ResolutionError::Version(version));
    };
    let (states, chains): (Vec<_>, Vec<_>) =
        forks.into_iter().map(|fork| (fork.state, fork.auth_chain)).unzip();
    let (mut agreed, conflicted) = split(states);
    if conflicted.iter().all(HashMap::is_empty) {
        return Ok(agreed);
    }

    // Who needs to be looked up in the agreed state: the authorisers of everything in question.
    let conflicted_ids: HashSet<OwnedEventId> =
        conflicted.iter().flat_map(HashMap::values).cloned().collect();
    let between = if version.state_resolution_includes_subgraph() {
        subgraph(&conflicted_ids)
            .ok_or_else(|| ResolutionError::Input("the conflicted state subgraph is missing".to_owned()))?
    } else {
        HashSet::new()
    };
    let chains = only_differences(chains);
    let questioned: HashSet<&OwnedEventId> =
        conflicted_ids.iter().chain(&between).chain(chains.iter().flatten()).collect();
    let events: Vec<Pdu> = questioned.into_iter().filter_map(|id| Some(fetch(id)?.pdu)).collect();
    let keys = relevant_keys(&events);

    let common: StateMap = keys.into_iter().filter_map(|key| agreed.remove_entry(&key)).collect();
    let states: Vec<_> = conflicted.into_iter().map(|state| to_ruma(&common, state)).collect();
    let chains: Vec<EventIdSet<OwnedEventId>> =
        chains.into_iter().map(|chain| chain.into_iter().collect()).collect();
    let resolved = state_res::resolve(
        &rules.authorization,
        state_res_rules,
        &states,
        chains,
        |id| fetch(id).map(Bridge),
        |_| Some(between.iter().cloned().collect()),
    )
    .map_err(|error| ResolutionError::Input(error.to_string()))?;
    agreed.extend(resolved.into_iter().map(|((kind, key), id)| ((kind.to_string(), key), id)));
    Ok(agreed)
}

/// The keys of the state by which any of these events could be authorised. Of a large state on which all
/// sides agree, only these are needed to resolve a fork.
pub fn relevant_keys<'a>(events: impl IntoIterator<Item = &'a Pdu>) -> HashSet<(String, String)> {
    let mut keys = HashSet::new();
    for event in events {
        // An event that cannot be authorised by any state needs none.
        keys.extend(auth_types_of(event).unwrap_or_default());
    }
    keys
}

/// Splits states into what all of them hold alike, and the rest of each.
fn split(states: Vec<StateMap>) -> (StateMap, Vec<StateMap>) {
    let Some((first, others)) = states.split_first() else { return Default::default() };
    let agreed: StateMap = first
        .iter()
        .filter(|(key, id)| others.iter().all(|other| other.get(*key) == Some(*id)))
        .map(|(key, id)| (key.clone(), id.clone()))
        .collect();
    let rest = states
        .into_iter()
        .map(|mut state| {
            state.retain(|key, _| !agreed.contains_key(key));
            state
        })
        .collect();
    (agreed, rest)
}

/// Takes from each chain what is in all of them.
fn only_differences(mut chains: Vec<HashSet<OwnedEventId>>) -> Vec<HashSet<OwnedEventId>> {
    let Some(smallest) = chains.iter().min_by_key(|chain| chain.len()) else { return chains };
    let common: HashSet<OwnedEventId> =
        smallest.iter().filter(|id| chains.iter().all(|chain| chain.contains(*id))).cloned().collect();
    for chain in &mut chains {
        chain.retain(|id| !common.contains(id));
    }
    chains
}

fn to_ruma(common: &StateMap, state: StateMap) -> state_res::StateMap<OwnedEventId> {
    let common = common.iter().map(|(key, id)| (key.clone(), id.clone()));
    common.chain(state).map(|((kind, key), id)| ((StateEventType::from(kind), key), id)).collect()
}
