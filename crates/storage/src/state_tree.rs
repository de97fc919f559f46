//! Room state as a content-addressed radix tree: from slot to event number.
//!
//! A leaf holds up to 256 slots, a branch up to 256 children. Each node is stored once, under the hash of its
//! content, so equal state has an equal root, forks share what they agree on, and the difference of two
//! states is found by skipping equal hashes. The shape follows from the content alone: a tree is as high as
//! its largest slot demands, and empty nodes do not exist.
//!
//! The functions here are pure. Where a node is needed that is not at hand they stop and name it
//! ([`Missing`]); the caller fetches and asks again. With warm caches that never happens.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use crate::{EventSn, Slot};

/// The hash of a node's content: the first 16 bytes of its BLAKE3.
pub(crate) type NodeHash = [u8; 16];

/// A whole state: the hash of its root node. Local to this homeserver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateRoot(pub(crate) NodeHash);

impl StateRoot {
    /// The state in which nothing is set.
    pub const EMPTY: Self = Self([0; 16]);

    /// Reads a root from its stored bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// One node of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// Low byte of the slot, and the event that is there. Ascending.
    Leaf(Vec<(u8, EventSn)>),
    /// A branch of the given height (1 above leaves): next byte of the slot, and the child. Ascending.
    Branch(u8, Vec<(u8, NodeHash)>),
}

/// Nodes that are needed and not at hand.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing(pub(crate) Vec<NodeHash>);

/// Where nodes at hand are found.
pub(crate) trait Nodes {
    /// The node with this hash, if it is at hand.
    fn node(&self, hash: &NodeHash) -> Option<Arc<Node>>;
}

/// A changed state, and the nodes on the way to its changes.
#[derive(Debug)]
pub(crate) struct Updated {
    pub(crate) root: StateRoot,
    pub(crate) nodes: Vec<(NodeHash, Arc<Node>)>,
}

/// One slot that differs between two states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which slot.
    pub slot: Slot,
    /// The event in the first state.
    pub before: Option<EventSn>,
    /// The event in the second state.
    pub after: Option<EventSn>,
}

const MAX_HEIGHT: u8 = 3;

impl Node {
    /// The node's content as bytes: a height byte, then the entries. Leaf entries are the low byte of the slot
    /// and the event number as the zig-zag difference to the one before, in base 128.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Leaf(entries) => {
                let mut body = Vec::with_capacity(1 + entries.len() * 4);
                body.push(0);
                let mut previous = 0_i64;
                for (key, event) in entries {
                    body.push(*key);
                    write_varint(&mut body, zigzag(event.0.wrapping_sub(previous)));
                    previous = event.0;
                }
                body
            }
            Self::Branch(height, children) => {
                let mut body = Vec::with_capacity(1 + children.len() * 17);
                body.push(*height);
                for (key, hash) in children {
                    body.push(*key);
                    body.extend_from_slice(hash);
                }
                body
            }
        }
    }

    /// Reads a node from its bytes; `None` if they are not a node.
    pub(crate) fn decode(body: &[u8]) -> Option<Self> {
        let (height, mut rest) = body.split_first()?;
        if *height > MAX_HEIGHT {
            return None;
        }
        if *height > 0 {
            let (entries, tail) = rest.as_chunks::<17>();
            let children = entries.iter().map(|[key, hash @ ..]| (*key, *hash)).collect();
            return tail.is_empty().then_some(Self::Branch(*height, children));
        }
        let mut entries = Vec::new();
        let mut previous = 0_i64;
        while let Some((key, behind)) = rest.split_first() {
            let (delta, behind) = read_varint(behind)?;
            previous = previous.wrapping_add(unzigzag(delta));
            entries.push((*key, EventSn(previous)));
            rest = behind;
        }
        Some(Self::Leaf(entries))
    }

    fn height(&self) -> u8 {
        match self {
            Self::Leaf(_) => 0,
            Self::Branch(height, _) => *height,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Leaf(entries) => entries.is_empty(),
            Self::Branch(_, children) => children.is_empty(),
        }
    }

    /// An estimate of the memory that the node takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Leaf(entries) => 48 + entries.len() * 16,
            Self::Branch(_, children) => 48 + children.len() * 17,
        }
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

fn hash_of(node: &Node) -> NodeHash {
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(&node.encode()).as_bytes()[..16]);
    hash
}

/// The byte of a slot that chooses the child in a node of the given height.
fn key_at(slot: Slot, height: u8) -> u8 {
    slot.0.to_le_bytes()[usize::from(height)]
}

/// How high a tree must be to hold this slot.
fn height_for(slot: Slot) -> u8 {
    match slot.0 {
        0..=0xff => 0,
        0x100..=0xffff => 1,
        0x1_0000..=0xff_ffff => 2,
        _ => 3,
    }
}

fn load(nodes: &impl Nodes, hash: &NodeHash) -> Result<Arc<Node>, Missing> {
    nodes.node(hash).ok_or_else(|| Missing(vec![*hash]))
}

/// The event in one slot.
pub(crate) fn get(nodes: &impl Nodes, root: StateRoot, slot: Slot) -> Result<Option<EventSn>, Missing> {
    if root == StateRoot::EMPTY {
        return Ok(None);
    }
    let mut node = load(nodes, &root.0)?;
    if height_for(slot) > node.height() {
        return Ok(None);
    }
    loop {
        let key = key_at(slot, node.height());
        let child = match &*node {
            Node::Leaf(entries) => {
                let found = entries.binary_search_by_key(&key, |entry| entry.0);
                return Ok(found.ok().map(|index| entries[index].1));
            }
            Node::Branch(_, children) => match children.binary_search_by_key(&key, |child| child.0) {
                Ok(index) => children[index].1,
                Err(_) => return Ok(None),
            },
        };
        node = load(nodes, &child)?;
    }
}

/// Every slot that is set, ascending.
pub(crate) fn entries(nodes: &impl Nodes, root: StateRoot) -> Result<Vec<(Slot, EventSn)>, Missing> {
    let differences = diff(nodes, StateRoot::EMPTY, root)?;
    Ok(differences.into_iter().filter_map(|found| Some((found.slot, found.after?))).collect())
}

/// The state that follows from `root` by setting (`Some`) or clearing (`None`) slots.
pub(crate) fn update(
    nodes: &impl Nodes,
    root: StateRoot,
    changes: &[(Slot, Option<EventSn>)],
) -> Result<Updated, Missing> {
    let mut sorted = changes.to_vec();
    sorted.sort_by_key(|change| change.0);
    let set = sorted.iter().filter(|change| change.1.is_some());
    let height = set.map(|change| height_for(change.0)).max().unwrap_or(0);
    let mut written = Vec::new();
    let mut node = match root {
        StateRoot::EMPTY => empty(height),
        StateRoot(hash) => (*load(nodes, &hash)?).clone(),
    };
    while node.height() < height {
        node = raise(node, &mut written);
    }
    // Clearing a slot that the tree is too low to hold changes nothing.
    sorted.retain(|change| height_for(change.0) <= node.height());
    node = update_node(nodes, node, &sorted, &mut written)?;
    node = lower(nodes, node, &written)?;
    if node.is_empty() {
        return Ok(Updated { root: StateRoot::EMPTY, nodes: Vec::new() });
    }
    let hash = keep(node, &mut written);
    Ok(Updated { root: StateRoot(hash), nodes: written })
}

fn empty(height: u8) -> Node {
    if height == 0 { Node::Leaf(Vec::new()) } else { Node::Branch(height, Vec::new()) }
}

fn keep(node: Node, written: &mut Vec<(NodeHash, Arc<Node>)>) -> NodeHash {
    let hash = hash_of(&node);
    written.push((hash, Arc::new(node)));
    hash
}

fn raise(node: Node, written: &mut Vec<(NodeHash, Arc<Node>)>) -> Node {
    let height = node.height() + 1;
    let children = if node.is_empty() { Vec::new() } else { vec![(0, keep(node, written))] };
    Node::Branch(height, children)
}

/// Takes away branches at the top that have only their first child, so that the shape stays canonical.
fn lower(nodes: &impl Nodes, mut node: Node, written: &[(NodeHash, Arc<Node>)]) -> Result<Node, Missing> {
    while let Node::Branch(_, children) = &node {
        let [(0, child)] = children.as_slice() else { break };
        let fresh = written.iter().find(|entry| entry.0 == *child).map(|entry| Arc::clone(&entry.1));
        let below = fresh.map_or_else(|| load(nodes, child), Ok)?;
        node = (*below).clone();
    }
    Ok(node)
}

fn update_node(
    nodes: &impl Nodes,
    node: Node,
    changes: &[(Slot, Option<EventSn>)],
    written: &mut Vec<(NodeHash, Arc<Node>)>,
) -> Result<Node, Missing> {
    match node {
        Node::Leaf(mut entries) => {
            for (slot, event) in changes {
                place(&mut entries, key_at(*slot, 0), *event);
            }
            Ok(Node::Leaf(entries))
        }
        Node::Branch(height, mut children) => {
            for group in changes.chunk_by(|a, b| key_at(a.0, height) == key_at(b.0, height)) {
                let key = key_at(group[0].0, height);
                let child = match children.binary_search_by_key(&key, |child| child.0) {
                    Ok(index) => (*load(nodes, &children[index].1)?).clone(),
                    Err(_) => empty(height - 1),
                };
                let child = update_node(nodes, child, group, written)?;
                let hash = (!child.is_empty()).then(|| keep(child, written));
                place(&mut children, key, hash);
            }
            Ok(Node::Branch(height, children))
        }
    }
}

/// Sets or clears the entry with the given key in an ascending list.
fn place<T>(entries: &mut Vec<(u8, T)>, key: u8, value: Option<T>) {
    match (entries.binary_search_by_key(&key, |entry| entry.0), value) {
        (Ok(index), Some(value)) => entries[index].1 = value,
        (Ok(index), None) => drop(entries.remove(index)),
        (Err(index), Some(value)) => entries.insert(index, (key, value)),
        (Err(_), None) => {}
    }
}

/// The slots in which two states differ, ascending. Costs only what differs.
pub(crate) fn diff(
    nodes: &impl Nodes,
    before: StateRoot,
    after: StateRoot,
) -> Result<Vec<Difference>, Missing> {
    let mut walk = Walk { nodes, found: Vec::new(), missing: Vec::new() };
    let top = |root: StateRoot| (root != StateRoot::EMPTY).then_some(root.0);
    walk.compare(top(before), top(after), 0, 0);
    if walk.missing.is_empty() { Ok(walk.found) } else { Err(Missing(walk.missing)) }
}

struct Walk<'a, N> {
    nodes: &'a N,
    found: Vec<Difference>,
    missing: Vec<NodeHash>,
}

impl<N: Nodes> Walk<'_, N> {
    /// Compares two subtrees seen from at least the given height; `prefix` holds the higher bytes of their
    /// slots. Goes on past missing nodes, so that all that one level lacks is named at once.
    fn compare(&mut self, before: Option<NodeHash>, after: Option<NodeHash>, height: u8, prefix: u32) {
        if before == after {
            return;
        }
        let (Ok(left), Ok(right)) = (self.open(before), self.open(after)) else { return };
        let height_of =
            |node: &Option<(NodeHash, Arc<Node>)>| node.as_ref().map_or(0, |node| node.1.height());
        let height = height.max(height_of(&left)).max(height_of(&right));
        if height == 0 {
            each_difference(leaf_entries(&left), leaf_entries(&right), |key, before, after| {
                self.found.push(Difference { slot: Slot(prefix << 8 | u32::from(key)), before, after });
            });
            return;
        }
        let (left, right) = (children_at(&left, height), children_at(&right, height));
        each_difference(&left, &right, |key, before, after| {
            self.compare(before, after, height - 1, prefix << 8 | u32::from(key));
        });
    }

    fn open(&mut self, hash: Option<NodeHash>) -> Result<Option<(NodeHash, Arc<Node>)>, ()> {
        let Some(hash) = hash else { return Ok(None) };
        match self.nodes.node(&hash) {
            Some(node) => Ok(Some((hash, node))),
            None => {
                self.missing.push(hash);
                Err(())
            }
        }
    }
}

fn leaf_entries(node: &Option<(NodeHash, Arc<Node>)>) -> &[(u8, EventSn)] {
    match node.as_ref().map(|node| &*node.1) {
        Some(Node::Leaf(entries)) => entries,
        _ => &[],
    }
}

/// The children of a node as seen from a given height: a lower node is its own first child.
fn children_at(node: &Option<(NodeHash, Arc<Node>)>, height: u8) -> Cow<'_, [(u8, NodeHash)]> {
    match node {
        None => Cow::Borrowed(&[]),
        Some((hash, node)) => match &**node {
            Node::Branch(own, children) if *own == height => Cow::Borrowed(children),
            _ => Cow::Owned(vec![(0, *hash)]),
        },
    }
}

/// Walks two ascending lists side by side, and shows where they differ.
fn each_difference<T: Copy + PartialEq>(
    mut left: &[(u8, T)],
    mut right: &[(u8, T)],
    mut show: impl FnMut(u8, Option<T>, Option<T>),
) {
    loop {
        match (left.split_first(), right.split_first()) {
            (Some(((key, before), l)), Some(((other, after), r))) if key == other => {
                if before != after {
                    show(*key, Some(*before), Some(*after));
                }
                (left, right) = (l, r);
            }
            (Some(((key, before), l)), other) if other.is_none_or(|((other, _), _)| key < other) => {
                show(*key, Some(*before), None);
                left = l;
            }
            (_, Some(((key, after), r))) => {
                show(*key, None, Some(*after));
                right = r;
            }
            (_, None) => return,
        }
    }
}

/// Nodes held in a plain map.
impl Nodes for HashMap<NodeHash, Arc<Node>> {
    fn node(&self, hash: &NodeHash) -> Option<Arc<Node>> {
        self.get(hash).cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn store(nodes: &mut HashMap<NodeHash, Arc<Node>>, updated: Updated) -> StateRoot {
        for (hash, node) in updated.nodes {
            assert_eq!(Node::decode(&node.encode()).as_ref(), Some(&*node), "a node survives its bytes");
            nodes.insert(hash, node);
        }
        updated.root
    }

    fn set(
        nodes: &mut HashMap<NodeHash, Arc<Node>>,
        root: StateRoot,
        slot: u32,
        event: Option<i64>,
    ) -> StateRoot {
        let updated = update(nodes, root, &[(Slot(slot), event.map(EventSn))]).unwrap();
        store(nodes, updated)
    }

    #[test]
    fn tree_agrees_with_a_map_whatever_is_set_and_cleared() {
        let mut nodes = HashMap::new();
        let mut model = BTreeMap::new();
        let mut root = StateRoot::EMPTY;
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        for step in 0..4_000_i64 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let slot = (seed >> 20) as u32 % [200, 700, 70_000, 20_000_000][(seed % 4) as usize];
            let event = (!seed.is_multiple_of(5)).then_some(step * 37 % 1000);
            root = set(&mut nodes, root, slot, event);
            match event {
                Some(event) => drop(model.insert(Slot(slot), EventSn(event))),
                None => drop(model.remove(&Slot(slot))),
            }
            assert_eq!(get(&nodes, root, Slot(slot)).unwrap(), event.map(EventSn));
        }
        assert_eq!(entries(&nodes, root).unwrap(), model.clone().into_iter().collect::<Vec<_>>());
        let at_once: Vec<_> = model.iter().map(|(slot, event)| (*slot, Some(*event))).collect();
        let rebuilt = update(&nodes, StateRoot::EMPTY, &at_once).unwrap();
        assert_eq!(rebuilt.root, root, "the shape follows from the content alone");
    }

    #[test]
    fn emptied_tree_is_the_empty_state_again() {
        let mut nodes = HashMap::new();
        let one = set(&mut nodes, StateRoot::EMPTY, 3, Some(9));
        let two = set(&mut nodes, one, 90_000, Some(10));
        let back = set(&mut nodes, two, 90_000, None);
        assert_eq!(back, one);
        assert_eq!(set(&mut nodes, back, 3, None), StateRoot::EMPTY);
    }

    #[test]
    fn difference_names_what_changed_between_trees_of_unequal_height() {
        let mut nodes = HashMap::new();
        let low = set(&mut nodes, StateRoot::EMPTY, 3, Some(9));
        let high = set(&mut nodes, low, 100_000, Some(10));
        let high = set(&mut nodes, high, 4, Some(11));
        let found = diff(&nodes, low, high).unwrap();
        let expected = [
            Difference { slot: Slot(4), before: None, after: Some(EventSn(11)) },
            Difference { slot: Slot(100_000), before: None, after: Some(EventSn(10)) },
        ];
        assert_eq!(found, expected);
        assert!(diff(&nodes, high, high).unwrap().is_empty());
    }

    #[test]
    fn node_that_is_not_at_hand_is_named() {
        let mut nodes = HashMap::new();
        let root = set(&mut nodes, StateRoot::EMPTY, 3, Some(9));
        let none = HashMap::new();
        assert_eq!(get(&none, root, Slot(3)).unwrap_err(), Missing(vec![root.0]));
    }

    #[test]
    fn broken_bytes_are_not_a_node() {
        assert_eq!(Node::decode(&[]), None);
        assert_eq!(Node::decode(&[9, 0]), None);
        assert_eq!(Node::decode(&[0, 1, 0x80]), None);
        assert_eq!(Node::decode(&[1, 2, 3]), None);
    }
}
