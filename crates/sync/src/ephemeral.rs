//! What is kept in memory only: who types, and who is there. Changes are counted, so that a token can tell
//! what its bearer has seen; the count begins anew with each run of the server.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parvis_storage::Ephemeral;

/// Counts the changes of this run. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    run: u32,
    count: Arc<AtomicU64>,
}

impl Counter {
    /// The counter of a run.
    pub(crate) fn new(run: u32) -> Self {
        Self { run, count: Arc::default() }
    }

    /// The number of a change. To be taken under the lock under which the change is noted: whoever has seen a
    /// number then finds the change.
    pub(crate) fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The place behind all changes so far.
    pub(crate) fn now(&self) -> Ephemeral {
        Ephemeral { run: self.run, count: self.count.load(Ordering::Acquire) }
    }

    /// How many changes the bearer of a token has seen; nothing, if it is of another run.
    pub(crate) fn seen(&self, place: Option<Ephemeral>) -> Option<u64> {
        place.filter(|place| place.run == self.run).map(|place| place.count)
    }
}
