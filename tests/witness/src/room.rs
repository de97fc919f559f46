//! A room in memory: what is known of it, and its branches, each with the state at its end.

use std::collections::{BTreeMap, HashMap, HashSet};

use parvis_dag::{
    Fork, Known, StateMap, auth_chain, auth_types, authorise, conflicted_subgraph, judge, resolve,
};
use parvis_events::{EventDraft, Pdu, RoomVersion, ServerKey};
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId};
use serde_json::{Value, json, value::to_raw_value};

use crate::{attempts::Attempt, dice::Dice};

/// A state: events by type and state key.
pub(crate) type State = BTreeMap<(String, String), Pdu>;

/// How forks are resolved.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolving {
    /// As the specification has it.
    ByTheRules,
    /// Wrongly.
    LastSideWins,
}

/// One line of history: its end, and the state there.
#[derive(Clone, Default)]
pub(crate) struct Branch {
    pub(crate) state: State,
    pub(crate) ends: Vec<OwnedEventId>,
    pub(crate) depth: i64,
}

impl Branch {
    pub(crate) fn get(&self, kind: &str, state_key: &str) -> Option<&Pdu> {
        self.state.get(&(kind.to_owned(), state_key.to_owned()))
    }
}

/// A room, and the lines that are printed of it.
pub(crate) struct Room {
    pub(crate) version: RoomVersion,
    room_id: Option<OwnedRoomId>,
    known: HashMap<OwnedEventId, Known>,
    /// Known state events, in the order in which they came about, for citing old ones.
    cited: Vec<Pdu>,
    key: ServerKey,
    resolving: Resolving,
    pub(crate) lines: Vec<Value>,
}

impl Room {
    /// A room before its create event.
    pub(crate) fn new(version: RoomVersion, resolving: Resolving) -> Self {
        let room_id = (!version.room_id_is_create_hash()).then(|| "!room:a.test".try_into().unwrap());
        let key = ServerKey::generate([3; 32], "k").unwrap();
        Self { version, room_id, known: HashMap::new(), cited: Vec::new(), key, resolving, lines: Vec::new() }
    }

    /// Tries something at the end of a branch: if the rules allow it, it is done.
    pub(crate) fn attempt(&mut self, branch: &mut Branch, attempt: &Attempt, dice: &Dice) -> bool {
        let Some(draft) = self.draft(branch, attempt, dice) else { return false };
        let Ok(pdu) = draft.sign(self.version, &self.key) else { return false };
        let by_state = |kind: &str, key: &str| branch.get(kind, key).cloned();
        let allowed = authorise(&pdu, by_state).is_ok();
        if !pdu.is_create() {
            let before: Vec<&EventId> = branch.state.values().map(Pdu::event_id).collect();
            self.lines.push(json!({ "attempt": json_of(&pdu), "before": before, "allowed": allowed }));
        }
        let verdict = judge(&pdu, |id| self.known.get(id).cloned(), by_state, by_state);
        if verdict.is_accepted() && !self.known.contains_key(pdu.event_id()) {
            self.admit(branch, pdu);
            return true;
        }
        false
    }

    fn draft(&self, branch: &Branch, attempt: &Attempt, dice: &Dice) -> Option<EventDraft> {
        let content = to_raw_value(&attempt.content).unwrap();
        let sender = OwnedUserId::try_from(attempt.sender.as_str()).unwrap();
        let state_key = Some(attempt.state_key.as_str());
        let keys = auth_types(self.version, &sender, &attempt.kind, state_key, &content).ok()?;
        let cite = |key: &(String, String)| {
            let newest = branch.state.get(key)?;
            // Now and then an older one that was replaced meanwhile, or one of another branch.
            let others = || self.cited.iter().filter(|pdu| pdu.is_state_of(&key.0, &key.1));
            let other = others().nth(dice.index(others().count()));
            Some(other.filter(|_| dice.percent(4)).unwrap_or(newest).owned_event_id().clone())
        };
        Some(EventDraft {
            room_id: if attempt.kind == "m.room.create" && self.version.room_id_is_create_hash() {
                None
            } else {
                self.room_id.clone()
            },
            sender,
            kind: attempt.kind.clone(),
            state_key: Some(attempt.state_key.clone()),
            content,
            redacts: None,
            prev_events: branch.ends.clone(),
            auth_events: keys.iter().filter_map(cite).collect(),
            depth: branch.depth + 1,
            origin_server_ts: attempt.time,
        })
    }

    fn admit(&mut self, branch: &mut Branch, pdu: Pdu) {
        if pdu.is_create() {
            self.room_id = Some(pdu.owned_room_id().clone());
            self.lines.push(json!({ "room": pdu.room_id(), "version": self.version.as_str() }));
        }
        self.lines.push(json!({ "event": json_of(&pdu), "event_id": pdu.event_id() }));
        branch.ends = vec![pdu.owned_event_id().clone()];
        branch.depth += 1;
        let state_key = pdu.state_key().unwrap_or_default().to_owned();
        branch.state.insert((pdu.kind().to_owned(), state_key), pdu.clone());
        self.cited.push(pdu.clone());
        self.known.insert(pdu.owned_event_id().clone(), Known::accepted(pdu));
    }

    /// Lets branches meet: their states are resolved, and what follows stands on all of them.
    pub(crate) fn merge(&mut self, branches: &[Branch]) -> Branch {
        let forks: Vec<Fork> = branches.iter().map(|branch| self.side(branch)).collect();
        let resolved = match self.resolving {
            Resolving::ByTheRules => self.resolved(forks),
            Resolving::LastSideWins => forks.into_iter().map(|fork| fork.state).reduce(last_wins).unwrap(),
        };
        let states: Vec<Vec<Value>> = branches.iter().map(|branch| state_line(&branch.state)).collect();
        let state = resolved.into_iter().map(|(key, id)| (key, self.known[&id].pdu.clone())).collect();
        self.lines.push(json!({ "fork": states, "resolved": state_line(&state) }));
        let ends: HashSet<OwnedEventId> = branches.iter().flat_map(|branch| branch.ends.clone()).collect();
        let mut ends: Vec<OwnedEventId> = ends.into_iter().collect();
        ends.sort();
        let depth = branches.iter().map(|branch| branch.depth).max().unwrap_or_default();
        Branch { state, ends, depth }
    }

    fn side(&self, branch: &Branch) -> Fork {
        let ids = branch.state.iter().map(|(key, pdu)| (key.clone(), pdu.owned_event_id().clone()));
        let state: StateMap = ids.collect();
        let auth_chain = auth_chain(state.values().map(|id| &**id), |id| self.pdu(id));
        Fork { state, auth_chain }
    }

    fn resolved(&self, forks: Vec<Fork>) -> StateMap {
        let known = |id: &EventId| self.known.get(id).cloned();
        let subgraph = |of: &_| Some(conflicted_subgraph(of, |id| self.pdu(id)));
        resolve(self.version, forks, known, subgraph).unwrap()
    }

    fn pdu(&self, id: &EventId) -> Option<Pdu> {
        Some(self.known.get(id)?.pdu.clone())
    }
}

fn last_wins(mut earlier: StateMap, later: StateMap) -> StateMap {
    earlier.extend(later);
    earlier
}

fn json_of(pdu: &Pdu) -> Value {
    serde_json::from_str(pdu.json()).unwrap()
}

fn state_line(state: &State) -> Vec<Value> {
    state.iter().map(|((kind, key), pdu)| json!([kind, key, pdu.event_id()])).collect()
}
