//! State resolution, wired to storage: forks are given to the rules with only what differs between them, so
//! that the cost follows the difference and not the room.
//!
//! What differs comes from the difference of the roots; what is in the auth chains of some sides but not of all
//! from the room's [`AuthGraph`]. A chain that an *agreed* state event is part of belongs to all sides: whether
//! that is so is asked upwards from each candidate, and found out after a step or two, rather than by marking
//! the chains of the whole state.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use parvis_dag::{self as dag, Fork, Known, StateMap};
use parvis_events::{Pdu, RoomVersion};
use parvis_storage::{EventFlags, EventSn, Slot, StateRoot, StorageError, StoredEvent};
use ruma::{EventId, OwnedEventId};

use super::Turn;
use crate::{
    RoomError,
    auth_graph::{AuthGraph, Marks, Node},
};

/// From how many events on a resolution runs on a thread of its own.
const LARGE: usize = 256;
/// How many citing events of each candidate are looked at at once.
const CLIMB: usize = 16;

/// The slots in which a resolved state differs from the first of the states that it was resolved from.
pub(crate) type Resolved = Arc<Vec<(Slot, Option<EventSn>)>>;

/// States that differ, slot by slot.
struct Conflict {
    roots: Vec<StateRoot>,
    slots: Vec<Slot>,
    /// For each root, the events in those slots.
    sides: Vec<Vec<Option<EventSn>>>,
}

impl Conflict {
    /// Whether two sides hold different events in a slot, rather than one of them none.
    fn is_contested(&self) -> bool {
        (0..self.slots.len()).any(|slot| {
            let mut held = self.sides.iter().filter_map(|side| side[slot]);
            let first = held.next();
            held.any(|event| Some(event) != first)
        })
    }

    /// The events that are in conflict.
    fn events(&self) -> Vec<EventSn> {
        let all: BTreeSet<EventSn> = self.sides.iter().flatten().flatten().copied().collect();
        all.into_iter().collect()
    }
}

/// What the rules are given.
struct Question {
    version: RoomVersion,
    forks: Vec<Fork>,
    known: HashMap<OwnedEventId, Known>,
    subgraph: HashSet<OwnedEventId>,
}

impl Question {
    fn answer(self) -> Result<StateMap, dag::ResolutionError> {
        let Self { version, forks, known, subgraph } = self;
        dag::resolve(version, forks, |id| known.get(id).cloned(), |_| Some(subgraph.clone()))
    }
}

/// What the graph says about a conflict.
struct Chains {
    /// For each side, the chain of what is in conflict there.
    of_sides: Vec<Marks>,
    /// What is not in the chains of all sides.
    difference: Vec<Node>,
    subgraph: HashSet<Node>,
}

impl Turn<'_> {
    /// The one state that several states make.
    pub(super) async fn resolve_roots(&mut self, mut roots: Vec<StateRoot>) -> Result<StateRoot, RoomError> {
        roots.sort_unstable();
        roots.dedup();
        let Some(first) = roots.first().copied() else { return Ok(StateRoot::EMPTY) };
        if roots.len() == 1 {
            return Ok(first);
        }
        let known = self.rooms.resolutions.get(&roots);
        let resolved = match known {
            Some(resolved) => resolved,
            None => {
                let resolved = Arc::new(self.resolve(roots.clone()).await?);
                self.rooms.resolutions.insert(roots, Arc::clone(&resolved));
                resolved
            }
        };
        Ok(self.rooms.store.change_state(&mut self.set, first, &resolved).await?)
    }

    async fn resolve(&self, roots: Vec<StateRoot>) -> Result<Vec<(Slot, Option<EventSn>)>, RoomError> {
        let conflict = self.conflict(roots).await?;
        self.rooms.counters.count_resolution(conflict.is_contested());
        let question = self.question(&conflict).await?;
        let size = question.known.len();
        tracing::debug!(room = self.head.room.0, slots = conflict.slots.len(), events = size, "forks meet");
        let answer = if size < LARGE {
            question.answer()
        } else {
            let closed = |_| RoomError::Storage(StorageError::Closed);
            tokio::task::spawn_blocking(|| question.answer()).await.map_err(closed)?
        };
        let state = answer.map_err(|error| RoomError::BadState(error.to_string()))?;
        self.changes(&conflict, state).await
    }

    /// Where states differ.
    async fn conflict(&self, roots: Vec<StateRoot>) -> Result<Conflict, RoomError> {
        let store = &self.rooms.store;
        let mut slots = BTreeSet::new();
        for other in &roots[1..] {
            let differences = store.state_diff_in(&self.set, roots[0], *other).await?;
            slots.extend(differences.into_iter().map(|difference| difference.slot));
        }
        let slots: Vec<Slot> = slots.into_iter().collect();
        let mut sides = Vec::with_capacity(roots.len());
        for root in &roots {
            let places: Vec<(StateRoot, Slot)> = slots.iter().map(|slot| (*root, *slot)).collect();
            sides.push(store.slots_in(&self.set, &places).await?);
        }
        Ok(Conflict { roots, slots, sides })
    }

    /// Gathers what the rules need to know of a conflict.
    async fn question(&self, conflict: &Conflict) -> Result<Question, RoomError> {
        let in_conflict = conflict.events();
        let held = self.rooms.graph_of(self.head.room);
        let mut held = held.lock().await;
        let graph = self.bring_up_to_date(&mut held).await?;
        let (len, next_index) = graph;
        let chains = self.chains(&held, conflict, &in_conflict).await;
        let gathered = match chains {
            Ok(chains) => self.gather(&held, conflict, &in_conflict, &chains).await,
            Err(error) => Err(error),
        };
        held.shorten(len, next_index);
        self.rooms.weigh_graph(self.head.room, held.bytes());
        gathered
    }

    /// Loads what the graph lacks, and adds what this turn has staged. Gives its size without the latter.
    async fn bring_up_to_date(&self, graph: &mut AuthGraph) -> Result<(usize, i64), RoomError> {
        let store = &self.rooms.store;
        if self.expected.is_some() {
            self.settle().await?;
            let edges = store.auth_edges(self.head.room, graph.next_index()).await?;
            graph.extend(&edges);
        }
        let size = (graph.len(), graph.next_index());
        graph.extend(&self.staged_edges);
        Ok(size)
    }

    async fn chains(
        &self,
        graph: &AuthGraph,
        conflict: &Conflict,
        in_conflict: &[EventSn],
    ) -> Result<Chains, RoomError> {
        let of_sides: Vec<Marks> =
            conflict.sides.iter().map(|side| graph.chain(side.iter().flatten().copied())).collect();
        let mut difference = graph.difference(&of_sides);
        let shared = self.authorises_agreed(graph, conflict, &difference).await?;
        difference.retain(|node| !shared.contains(node));
        let subgraph = match self.head.version.state_resolution_includes_subgraph() {
            true => graph.between(in_conflict),
            false => HashSet::new(),
        };
        Ok(Chains { of_sides, difference, subgraph })
    }

    /// Those of these nodes that are in the agreed state, or authorise something that is.
    async fn authorises_agreed(
        &self,
        graph: &AuthGraph,
        conflict: &Conflict,
        candidates: &[Node],
    ) -> Result<HashSet<Node>, RoomError> {
        let is_candidate: HashSet<Node> = candidates.iter().copied().collect();
        let mut agreed: HashMap<Node, bool> = HashMap::new();
        let mut found = HashSet::new();
        let mut met: HashMap<Node, Vec<Node>> = HashMap::new();
        let mut climbs: Vec<Climb> = candidates.iter().map(|node| Climb::new(*node)).collect();
        while !climbs.is_empty() {
            let wave: Vec<Vec<Node>> =
                climbs.iter_mut().map(|climb| climb.next(graph, &is_candidate)).collect();
            let unknown: BTreeSet<Node> =
                wave.iter().flatten().copied().filter(|node| !agreed.contains_key(node)).collect();
            self.ask_agreed(graph, conflict, unknown, &mut agreed).await?;
            let mut left = Vec::with_capacity(climbs.len());
            for (climb, nodes) in climbs.into_iter().zip(wave) {
                if nodes.iter().any(|node| agreed.get(node) == Some(&true)) {
                    found.insert(climb.from);
                } else if !nodes.is_empty() {
                    left.push(climb);
                } else {
                    climb.met.into_iter().for_each(|other| met.entry(other).or_default().push(climb.from));
                }
            }
            climbs = left;
        }
        // Who authorises a candidate that authorises something agreed does so too.
        let mut to_pass_on: Vec<Node> = found.iter().copied().collect();
        while let Some(node) = to_pass_on.pop() {
            let below = met.remove(&node).unwrap_or_default();
            to_pass_on.extend(below.into_iter().filter(|below| found.insert(*below)));
        }
        Ok(found)
    }

    /// Finds out which of these nodes are in the state on which all sides agree.
    async fn ask_agreed(
        &self,
        graph: &AuthGraph,
        conflict: &Conflict,
        nodes: BTreeSet<Node>,
        agreed: &mut HashMap<Node, bool>,
    ) -> Result<(), RoomError> {
        let sns: Vec<EventSn> = nodes.iter().filter_map(|node| graph.event(*node)).collect();
        let slots: Vec<Option<Slot>> = self.events(&sns).await?.iter().map(|event| event.slot).collect();
        // In a slot in which sides differ, nothing is agreed.
        let is_closed = |slot: &Slot| conflict.slots.binary_search(slot).is_err();
        let places: BTreeSet<(StateRoot, Slot)> = slots
            .iter()
            .flatten()
            .filter(|slot| is_closed(slot))
            .map(|slot| (conflict.roots[0], *slot))
            .collect();
        let places: Vec<(StateRoot, Slot)> = places.into_iter().collect();
        let held = self.rooms.store.slots_in(&self.set, &places).await?;
        let held: HashMap<Slot, EventSn> =
            places.iter().zip(held).filter_map(|((_, slot), event)| Some((*slot, event?))).collect();
        for ((node, sn), slot) in nodes.iter().zip(sns).zip(slots) {
            agreed.insert(*node, slot.is_some_and(|slot| held.get(&slot) == Some(&sn)));
        }
        Ok(())
    }

    /// Reads the events that the rules will ask for.
    async fn gather(
        &self,
        graph: &AuthGraph,
        conflict: &Conflict,
        in_conflict: &[EventSn],
        chains: &Chains,
    ) -> Result<Question, RoomError> {
        let of_conflict = in_conflict.iter().filter_map(|event| graph.node(*event));
        let mut full: HashSet<Node> = of_conflict.collect();
        full.extend(&chains.difference);
        full.extend(&chains.subgraph);
        let full_events = self.events_of(graph, &full).await?;
        let agreed = self.agreed_entries(conflict, full_events.iter().map(|event| &event.pdu)).await?;

        let mut wanted = full.clone();
        wanted.extend(agreed.iter().filter_map(|(_, event)| graph.node(event.sn)));
        wanted.extend(full.iter().flat_map(|node| graph.auth_of(*node)).copied());
        if let Some(levels) = self.rooms.store.find_type("m.room.power_levels").await? {
            let line = graph.line_of(levels, wanted.iter().copied());
            wanted.extend(line);
        }
        let events = self.events_of(graph, &wanted).await?;
        let ids: HashMap<EventSn, &OwnedEventId> =
            events.iter().map(|event| (event.sn, event.pdu.owned_event_id())).collect();
        let id_of = |node: &Node| graph.event(*node).and_then(|sn| ids.get(&sn)).map(|id| (*id).clone());
        let forks = self.forks(conflict, &events, &agreed, |side| {
            let own = chains.difference.iter().filter(|node| chains.of_sides[side].contains(**node));
            own.filter_map(id_of).collect()
        });
        let subgraph = chains.subgraph.iter().filter_map(id_of).collect();
        let known = events.iter().map(|event| (event.pdu.owned_event_id().clone(), known(event))).collect();
        Ok(Question { version: self.head.version, forks, known, subgraph })
    }

    async fn events_of(
        &self,
        graph: &AuthGraph,
        nodes: &HashSet<Node>,
    ) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
        let mut sns: Vec<EventSn> = nodes.iter().filter_map(|node| graph.event(*node)).collect();
        sns.sort_unstable();
        self.events(&sns).await
    }

    /// What all sides hold alike of the state by which these events could be authorised.
    async fn agreed_entries<'a>(
        &self,
        conflict: &Conflict,
        of: impl Iterator<Item = &'a Pdu>,
    ) -> Result<Vec<((String, String), Arc<StoredEvent>)>, RoomError> {
        let mut keys: Vec<(String, String)> = dag::relevant_keys(of).into_iter().collect();
        let create = ("m.room.create".to_owned(), String::new());
        if !keys.contains(&create) {
            keys.push(create);
        }
        let mut entries = Vec::new();
        for (kind, state_key) in keys {
            let Some(type_sn) = self.rooms.store.find_type(&kind).await? else { continue };
            let Some(slot) = self.slot(type_sn, &state_key).await? else { continue };
            if conflict.slots.binary_search(&slot).is_err() {
                let mut held = self.rooms.store.slots_in(&self.set, &[(conflict.roots[0], slot)]).await?;
                if let Some(sn) = held.pop().flatten() {
                    entries.push(((kind, state_key), self.event(sn).await?));
                }
            }
        }
        Ok(entries)
    }

    fn forks(
        &self,
        conflict: &Conflict,
        events: &[Arc<StoredEvent>],
        agreed: &[((String, String), Arc<StoredEvent>)],
        chain: impl Fn(usize) -> HashSet<OwnedEventId>,
    ) -> Vec<Fork> {
        let by_sn: HashMap<EventSn, &Pdu> = events.iter().map(|event| (event.sn, &event.pdu)).collect();
        let entry = |sn: &EventSn| {
            let pdu = by_sn.get(sn)?;
            let key = (pdu.kind().to_owned(), pdu.state_key()?.to_owned());
            Some((key, pdu.owned_event_id().clone()))
        };
        let side = |(index, side): (usize, &Vec<Option<EventSn>>)| {
            let mut state: StateMap = side.iter().flatten().filter_map(entry).collect();
            state.extend(agreed.iter().map(|(key, event)| (key.clone(), event.pdu.owned_event_id().clone())));
            Fork { state, auth_chain: chain(index) }
        };
        conflict.sides.iter().enumerate().map(side).collect()
    }

    /// How the resolved state differs from the first side.
    async fn changes(
        &self,
        conflict: &Conflict,
        mut state: StateMap,
    ) -> Result<Vec<(Slot, Option<EventSn>)>, RoomError> {
        let in_conflict = self.events(&conflict.events()).await?;
        let keys: HashMap<Slot, (String, String)> = in_conflict
            .iter()
            .filter_map(|event| {
                let state_key = event.pdu.state_key()?;
                Some((event.slot?, (event.pdu.kind().to_owned(), state_key.to_owned())))
            })
            .collect();
        let mut changes = Vec::with_capacity(conflict.slots.len());
        for (slot, first) in conflict.slots.iter().zip(&conflict.sides[0]) {
            let resolved = match keys.get(slot).and_then(|key| state.remove(key)) {
                Some(id) => self.number_of(&id).await?,
                None => None,
            };
            if resolved != *first {
                changes.push((*slot, resolved));
            }
        }
        // What comes back from the auth chains fills what is empty on all sides; else what is agreed wins.
        let left: BTreeMap<(String, String), OwnedEventId> = state.into_iter().collect();
        for ((kind, state_key), id) in left {
            let Some(type_sn) = self.rooms.store.find_type(&kind).await? else { continue };
            let Some(slot) = self.slot(type_sn, &state_key).await? else { continue };
            let held = self.rooms.store.slots_in(&self.set, &[(conflict.roots[0], slot)]).await?;
            if held.first().copied().flatten().is_none() {
                changes.extend(self.number_of(&id).await?.map(|sn| (slot, Some(sn))));
            }
        }
        Ok(changes)
    }

    async fn number_of(&self, id: &EventId) -> Result<Option<EventSn>, RoomError> {
        match self.staged_ids.get(id) {
            Some(sn) => Ok(Some(*sn)),
            None => Ok(self.rooms.store.event_sn(id).await?),
        }
    }
}

/// What was decided about an event, for the rules.
pub(super) fn known(event: &Arc<StoredEvent>) -> Known {
    let rejected = event.flags.contains(EventFlags::REJECTED);
    Known { pdu: event.pdu.clone(), rejected }
}

/// The way up from a node to what it authorises, newest first. It ends below other nodes that have ways of their
/// own.
struct Climb {
    from: Node,
    /// The nodes on the way, each with how many of those that cite it were not visited.
    way: Vec<(Node, usize)>,
    seen: HashSet<Node>,
    /// The others above.
    met: Vec<Node>,
}

impl Climb {
    fn new(from: Node) -> Self {
        Self { from, way: Vec::new(), seen: HashSet::new(), met: Vec::new() }
    }

    /// The next few nodes, at first the one itself; none at the end.
    fn next(&mut self, graph: &AuthGraph, others: &HashSet<Node>) -> Vec<Node> {
        let mut nodes = Vec::new();
        if self.seen.insert(self.from) {
            self.way.push((self.from, graph.cited_by(self.from).len()));
            return vec![self.from];
        }
        while nodes.len() < CLIMB
            && let Some((node, left)) = self.way.last_mut()
        {
            let Some(next) = left.checked_sub(1) else {
                self.way.pop();
                continue;
            };
            *left = next;
            let citing = graph.cited_by(*node).get(next).copied();
            let Some(citing) = citing.filter(|citing| self.seen.insert(*citing)) else { continue };
            if others.contains(&citing) {
                self.met.push(citing);
            } else {
                self.way.push((citing, graph.cited_by(citing).len()));
                nodes.push(citing);
            }
        }
        nodes
    }
}
