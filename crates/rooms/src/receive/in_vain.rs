//! What was sought in vain just now. For a while the same questions would have the same answers, and many events may
//! lead back to what somebody keeps back: they are not all asked for one by one.

use std::collections::{BTreeMap, HashMap};

use parvis_events::Pdu;
use ruma::{OwnedEventId, OwnedServerName};

/// How many edges are remembered.
const MOST: usize = 1_000;

/// What one pass through an inbox has sought in vain.
#[derive(Default)]
pub(super) struct InVain {
    edges: HashMap<SoughtEdge, bool>,
    /// The events that the last search found, and that could not enter.
    pub(super) found: BTreeMap<OwnedEventId, Pdu>,
}

/// An edge: an event that is not here, one that follows it, and the server that was asked first.
#[derive(PartialEq, Eq, Hash)]
struct SoughtEdge {
    first: Option<OwnedServerName>,
    missing: OwnedEventId,
    by: OwnedEventId,
}

impl InVain {
    /// Notes that these edges, each an event that is not here with one that follows it, were sought in vain by asking
    /// these servers. In a `last` try nobody is waited for.
    pub(super) fn note<'a>(
        &mut self,
        servers: &[OwnedServerName],
        edges: impl IntoIterator<Item = (&'a OwnedEventId, &'a OwnedEventId)>,
        last: bool,
    ) {
        for (missing, by) in edges.into_iter().take(MOST.saturating_sub(self.edges.len())) {
            *self.edges.entry(SoughtEdge::new(servers, missing, by)).or_default() |= last;
        }
    }

    /// Whether one of these edges was sought in vain, and another search would have no other end.
    pub(super) fn has_any<'a>(
        &self,
        servers: &[OwnedServerName],
        edges: impl IntoIterator<Item = (&'a OwnedEventId, &'a OwnedEventId)>,
        last: bool,
    ) -> bool {
        let mut sought = edges
            .into_iter()
            .filter_map(|(missing, by)| self.edges.get(&SoughtEdge::new(servers, missing, by)));
        sought.any(|was_last| *was_last || !last)
    }
}

impl SoughtEdge {
    fn new(servers: &[OwnedServerName], missing: &OwnedEventId, by: &OwnedEventId) -> Self {
        Self { first: servers.first().cloned(), missing: missing.clone(), by: by.clone() }
    }
}
