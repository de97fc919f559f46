//! Who authorises whom: the graph of a room's state events, kept compact in memory for state resolution.
//!
//! Nodes are small numbers in the order of loading. Chains, their difference and the conflicted subgraph are
//! marking passes over it. It knows neither events' content nor which of them are part of which state.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use parvis_storage::{AuthEdges, EventSn, TypeSn};

/// A node's number.
pub(crate) type Node = u32;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct AuthGraph {
    nodes: Vec<Vertex>,
    by_event: HashMap<EventSn, Node>,
    /// The state index from which on events were not loaded.
    next_index: i64,
    edges: usize,
}

#[derive(Debug)]
struct Vertex {
    event: EventSn,
    kind: TypeSn,
    auth: Box<[Node]>,
    cited_by: Vec<Node>,
}

/// A set of nodes.
#[derive(Clone, Debug)]
pub(crate) struct Marks(Vec<u64>);

impl Marks {
    fn new(nodes: usize) -> Self {
        Self(vec![0; nodes.div_ceil(64)])
    }

    /// Adds a node; says whether it is new.
    fn insert(&mut self, node: Node) -> bool {
        let (word, bit) = (node as usize / 64, 1_u64 << (node % 64));
        let Some(word) = self.0.get_mut(word) else { return false };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Whether a node is in the set.
    pub(crate) fn contains(&self, node: Node) -> bool {
        self.0.get(node as usize / 64).is_some_and(|word| word & (1 << (node % 64)) != 0)
    }

    fn nodes(&self) -> impl Iterator<Item = Node> {
        self.0.iter().zip(0_u32..).flat_map(|(word, index)| {
            let word = *word;
            (0..64_u32).filter(move |bit| word & (1 << bit) != 0).map(move |bit| index * 64 + bit)
        })
    }
}

impl AuthGraph {
    /// The state index from which on events are to be loaded.
    pub(crate) fn next_index(&self) -> i64 {
        self.next_index
    }

    /// How many events there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// About how much memory it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.nodes.len() * (size_of::<Vertex>() + 24) + self.edges * 12
    }

    /// Adds events. Those that authorise them are known, or are among them.
    pub(crate) fn extend(&mut self, edges: &[AuthEdges]) {
        let first = self.nodes.len();
        for edge in edges {
            let node = Node::try_from(self.nodes.len()).unwrap_or(Node::MAX);
            self.next_index = self.next_index.max(edge.state_index + 1);
            if let Entry::Vacant(place) = self.by_event.entry(edge.event) {
                place.insert(node);
                let (event, kind) = (edge.event, edge.kind);
                self.nodes.push(Vertex { event, kind, auth: Box::default(), cited_by: Vec::new() });
            }
        }
        for edge in edges {
            let Some(node) = self.node(edge.event).filter(|node| *node as usize >= first) else { continue };
            let auth: Box<[Node]> = edge.auth.iter().filter_map(|event| self.node(*event)).collect();
            self.edges += auth.len();
            for cited in &auth {
                self.nodes[*cited as usize].cited_by.push(node);
            }
            self.nodes[node as usize].auth = auth;
        }
    }

    /// Takes back what was added since there were so many events; `next_index` is as it was then.
    pub(crate) fn shorten(&mut self, len: usize, next_index: i64) {
        while self.nodes.len() > len {
            let Some(vertex) = self.nodes.pop() else { return };
            let node = Node::try_from(self.nodes.len()).unwrap_or(Node::MAX);
            self.by_event.remove(&vertex.event);
            self.edges -= vertex.auth.len();
            for cited in &vertex.auth {
                // Those that cite stand in their order, so that it is the last.
                if let Some(cited) = self.nodes.get_mut(*cited as usize) {
                    cited.cited_by.pop_if(|citing| *citing == node);
                }
            }
        }
        self.next_index = next_index;
    }

    /// The node of an event.
    pub(crate) fn node(&self, event: EventSn) -> Option<Node> {
        self.by_event.get(&event).copied()
    }

    /// The event of a node.
    pub(crate) fn event(&self, node: Node) -> Option<EventSn> {
        self.nodes.get(node as usize).map(|vertex| vertex.event)
    }

    /// What authorises a node directly.
    pub(crate) fn auth_of(&self, node: Node) -> &[Node] {
        self.nodes.get(node as usize).map_or(&[], |vertex| &vertex.auth)
    }

    /// What a node authorises directly, oldest first.
    pub(crate) fn cited_by(&self, node: Node) -> &[Node] {
        self.nodes.get(node as usize).map_or(&[], |vertex| &vertex.cited_by)
    }

    /// These events with all that authorises them, directly or not.
    pub(crate) fn chain(&self, of: impl IntoIterator<Item = EventSn>) -> Marks {
        let mut marks = Marks::new(self.nodes.len());
        let mut to_walk: Vec<Node> = of.into_iter().filter_map(|event| self.node(event)).collect();
        to_walk.retain(|node| marks.insert(*node));
        while let Some(node) = to_walk.pop() {
            to_walk.extend(self.auth_of(node).iter().copied().filter(|node| marks.insert(*node)));
        }
        marks
    }

    /// What is in some of these chains, but not in all.
    pub(crate) fn difference(&self, chains: &[Marks]) -> Vec<Node> {
        let mut some = Marks::new(self.nodes.len());
        for chain in chains {
            some.0.iter_mut().zip(&chain.0).for_each(|(all, word)| *all |= word);
        }
        some.nodes().filter(|node| chains.iter().any(|chain| !chain.contains(*node))).collect()
    }

    /// Everything on a path from one of these events to another, over what authorises what, both ends included.
    /// The way up is taken only over what lies below them: much of what authorises them authorises the whole room.
    pub(crate) fn between(&self, events: &[EventSn]) -> HashSet<Node> {
        let mut between: HashSet<Node> = events.iter().filter_map(|event| self.node(*event)).collect();
        let mut citing: HashMap<Node, Vec<Node>> = HashMap::new();
        let mut below = between.clone();
        let mut to_walk: Vec<Node> = between.iter().copied().collect();
        while let Some(node) = to_walk.pop() {
            for cited in self.auth_of(node) {
                citing.entry(*cited).or_default().push(node);
                if below.insert(*cited) {
                    to_walk.push(*cited);
                }
            }
        }
        let mut to_climb: Vec<Node> = between.iter().copied().collect();
        while let Some(node) = to_climb.pop() {
            let above = citing.get(&node).into_iter().flatten().copied();
            to_climb.extend(above.filter(|above| between.insert(*above)));
        }
        between
    }

    /// The events of one type among these and on the chains that lead from them over that type alone: the
    /// power levels that were in force one after another.
    pub(crate) fn line_of(&self, kind: TypeSn, from: impl IntoIterator<Item = Node>) -> HashSet<Node> {
        let is_kind = |node: &Node| self.nodes.get(*node as usize).is_some_and(|vertex| vertex.kind == kind);
        let mut line = HashSet::new();
        let mut to_walk: Vec<Node> = from.into_iter().collect();
        let mut seen: HashSet<Node> = to_walk.iter().copied().collect();
        while let Some(node) = to_walk.pop() {
            if is_kind(&node) {
                line.insert(node);
            }
            to_walk.extend(
                self.auth_of(node).iter().copied().filter(|node| is_kind(node) && seen.insert(*node)),
            );
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events 0, 1, 2 …, each with the numbers of those that authorise it.
    fn graph(auth: &[&[i64]]) -> AuthGraph {
        let mut graph = AuthGraph::default();
        graph.extend(&edges(0, auth));
        graph
    }

    fn edges(first: i64, auth: &[&[i64]]) -> Vec<AuthEdges> {
        let edge = |(auth, index): (&&[i64], i64)| AuthEdges {
            state_index: index,
            event: EventSn(index),
            kind: TypeSn(index % 2),
            auth: auth.iter().copied().map(EventSn).collect(),
        };
        auth.iter().zip(first..).map(edge).collect()
    }

    fn sorted(nodes: impl IntoIterator<Item = Node>) -> Vec<Node> {
        let mut nodes: Vec<Node> = nodes.into_iter().collect();
        nodes.sort_unstable();
        nodes
    }

    #[test]
    fn difference_of_chains_holds_what_not_all_have() {
        let graph = graph(&[&[], &[0], &[0, 1], &[0, 1], &[2]]);
        let chains = [graph.chain([EventSn(4)]), graph.chain([EventSn(3)])];
        assert_eq!(graph.difference(&chains), [2, 3, 4]);
        assert_eq!(graph.difference(&[graph.chain([EventSn(4)]), graph.chain([EventSn(2)])]), [4]);
    }

    #[test]
    fn subgraph_holds_what_lies_on_a_path_between_two() {
        // 5 → 4 → 2 → 1 → 0, and 3 → 1 aside.
        let graph = graph(&[&[], &[0], &[1], &[1], &[2, 3], &[4]]);
        assert_eq!(sorted(graph.between(&[EventSn(5), EventSn(2)])), [2, 4, 5]);
        assert_eq!(sorted(graph.between(&[EventSn(5), EventSn(1)])), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn what_was_added_for_a_while_leaves_no_trace() {
        let mut graph = graph(&[&[], &[0]]);
        let (len, next) = (graph.len(), graph.next_index());
        graph.extend(&edges(2, &[&[0, 1], &[2]]));
        assert_eq!(graph.cited_by(0), [1, 2]);
        graph.shorten(len, next);
        assert_eq!(graph.cited_by(0), [1]);
        assert_eq!(graph.node(EventSn(3)), None);
        graph.extend(&edges(2, &[&[1]]));
        assert_eq!(sorted(graph.chain([EventSn(2)]).nodes()), [0, 1, 2]);
    }

    #[test]
    fn line_follows_one_type_alone() {
        // Odd numbers are of type 1: 5 cites 4 and 3, 3 cites 1.
        let graph = graph(&[&[], &[0], &[1], &[1, 2], &[3], &[4, 3]]);
        assert_eq!(sorted(graph.line_of(TypeSn(1), [5])), [1, 3, 5]);
        assert_eq!(sorted(graph.line_of(TypeSn(1), [4])), [1, 3]);
    }
}
