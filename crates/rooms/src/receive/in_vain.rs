//! What was sought in vain just now. For a while the same questions would have the same answers, and many events may
//! lead back to what somebody keeps back: they are not all asked for one by one.

use std::collections::{BTreeMap, HashSet};

use parvis_events::Pdu;
use ruma::{OwnedEventId, OwnedServerName};

/// How many events are remembered as sought in vain.
const MOST: usize = 1_000;

/// What one pass through an inbox has sought in vain.
#[derive(Default)]
pub(super) struct InVain {
    /// Events that are not here, whatever follows them, each with the server that was asked first.
    sought: HashSet<(OwnedServerName, OwnedEventId)>,
    /// Those of last tries, in which nobody is waited for, with the event that follows: who knows the one may tell
    /// the state before the other.
    sought_last: HashSet<(OwnedServerName, OwnedEventId, OwnedEventId)>,
    /// The events that the last search found, whether they could enter or not.
    pub(super) found: BTreeMap<OwnedEventId, Pdu>,
}

impl InVain {
    /// Notes that these edges, each an event that is not here with one that follows it, were sought in vain by asking
    /// these servers.
    pub(super) fn note<'a>(
        &mut self,
        servers: &[OwnedServerName],
        edges: impl IntoIterator<Item = (&'a OwnedEventId, &'a OwnedEventId)>,
        last: bool,
    ) {
        let Some(first) = servers.first() else { return };
        let room = MOST.saturating_sub(self.sought.len().max(self.sought_last.len()));
        for (missing, by) in edges.into_iter().take(room) {
            self.sought.insert((first.clone(), missing.clone()));
            if last {
                self.sought_last.insert((first.clone(), missing.clone(), by.clone()));
            }
        }
    }

    /// Whether one of these edges was sought in vain, so that another search would have no other end.
    pub(super) fn has_any<'a>(
        &self,
        servers: &[OwnedServerName],
        edges: impl IntoIterator<Item = (&'a OwnedEventId, &'a OwnedEventId)>,
        last: bool,
    ) -> bool {
        let Some(first) = servers.first() else { return false };
        edges.into_iter().any(|(missing, by)| {
            if last {
                self.sought_last.contains(&(first.clone(), missing.clone(), by.clone()))
            } else {
                self.sought.contains(&(first.clone(), missing.clone()))
            }
        })
    }
}
