//! The sums over events' children in memory.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parvis_cache::Cache;
use ruma::{EventId, OwnedEventId};

use crate::model::{Aggregation, StoredEvent};

/// The aggregations that were asked for lately, and those of events that cannot have children yet.
#[derive(Debug)]
pub(crate) struct AggregationCache {
    by_target: Cache<OwnedEventId, Arc<Aggregation>>,
    no_children: Arc<Aggregation>,
    generation: AtomicU64,
}

impl AggregationCache {
    /// A cache of at most so many bytes, about.
    pub(crate) fn new(bytes: u64) -> Self {
        Self {
            by_target: Cache::weighed(bytes, |_, aggregation: &Arc<Aggregation>| aggregation.weight()),
            no_children: Arc::default(),
            generation: AtomicU64::new(0),
        }
    }

    /// What is known of an event's children, if memory has it.
    pub(crate) fn get(&self, target: &EventId) -> Option<Arc<Aggregation>> {
        self.by_target.get(target)
    }

    /// How often children came or went so far; what was read is kept only if none did meanwhile.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Keeps what was read of an event's children, unless children came or went since before the reading.
    pub(crate) fn keep(&self, target: OwnedEventId, aggregation: &Arc<Aggregation>, generation: u64) {
        self.by_target.insert(target.clone(), Arc::clone(aggregation));
        if self.generation() != generation {
            self.by_target.remove(&target);
        }
    }

    /// Notes that an event was committed: what it says about another, and that nothing is said about it yet.
    pub(crate) fn apply(&self, event: &StoredEvent) {
        if event.transaction.is_some() {
            self.by_target.insert(event.pdu.event_id().to_owned(), Arc::clone(&self.no_children));
        }
        if let Some(target) = event.pdu.relates_to().and_then(|relation| relation.event_id)
            && let Ok(target) = <&EventId>::try_from(target.as_ref())
        {
            self.generation.fetch_add(1, Ordering::AcqRel);
            self.by_target.remove(target);
        }
    }

    /// Notes that events were redacted, which are children no longer.
    pub(crate) fn forget_all(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.by_target.clear();
    }
}
