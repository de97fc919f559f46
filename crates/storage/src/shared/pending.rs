//! What was submitted and is not yet committed, so that the next operation can build on it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    model::StoredEvent,
    numbers::{EventSn, Position},
    state_tree::{Node, NodeHash},
    write_set::{PendingChange, WriteSet},
};

/// The events and the state nodes of the sets that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct Pending(Mutex<Waiting>);

/// Nodes are counted, since several sets may write the same one.
#[derive(Debug, Default)]
struct Waiting {
    events: HashMap<EventSn, Arc<StoredEvent>>,
    nodes: HashMap<NodeHash, (Arc<Node>, usize)>,
}

impl Pending {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event that waits to be written.
    pub(crate) fn event(&self, sn: EventSn) -> Option<Arc<StoredEvent>> {
        self.waiting().events.get(&sn).cloned()
    }

    /// A state node that waits to be written.
    pub(crate) fn node(&self, hash: &NodeHash) -> Option<Arc<Node>> {
        self.waiting().nodes.get(hash).map(|node| Arc::clone(&node.0))
    }

    /// Lets the next operation see what this set will write.
    pub(crate) fn add(&self, set: &WriteSet) {
        if set.nodes.is_empty() && set.changes.is_empty() {
            return;
        }
        let mut waiting = self.waiting();
        for (hash, node) in &set.nodes {
            waiting.nodes.entry(*hash).or_insert_with(|| (Arc::clone(node), 0)).1 += 1;
        }
        for change in &set.changes {
            if let PendingChange::Event(event) = change {
                waiting.events.insert(event.sn, event.stored_at(Position::START));
            }
        }
    }

    /// Forgets what this set would write, or has written.
    pub(crate) fn remove(&self, set: &WriteSet) {
        let mut waiting = self.waiting();
        for (hash, _) in &set.nodes {
            if let Some(node) = waiting.nodes.get_mut(hash) {
                node.1 -= 1;
                if node.1 == 0 {
                    waiting.nodes.remove(hash);
                }
            }
        }
        for change in &set.changes {
            if let PendingChange::Event(event) = change {
                waiting.events.remove(&event.sn);
            }
        }
    }
}
