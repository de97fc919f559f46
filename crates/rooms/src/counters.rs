//! How often what befell the rooms of one homeserver, for operators and for simulations. One value for each
//! [`Rooms`](crate::Rooms); knows neither rooms nor users by name.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the rooms of a homeserver have been through since it started, and what they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoomsStatus {
    /// Events that entered, from here and from elsewhere.
    pub accepted: u64,
    /// Events that are kept and not shown, since the current state forbids them.
    pub soft_failed: u64,
    /// Events that were never allowed.
    pub rejected: u64,
    /// Events after which a room had one end more than before.
    pub forks: u64,
    /// Events that follow several others, and so let branches meet.
    pub merges: u64,
    /// How often states that differed were resolved to one.
    pub resolutions: u64,
    /// Those of them in which two states held different events for the same type and state key.
    pub conflicts: u64,
    /// Events that were given up, since what they build on cannot be had.
    pub given_up: u64,
    /// Rooms whose inbox is worked on at the moment.
    pub workers: usize,
    /// About how many bytes the graphs of authorisation take in memory.
    pub graph_bytes: u64,
    /// Resolved states that are remembered.
    pub remembered_resolutions: u64,
}

/// Counts that grow.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    accepted: AtomicU64,
    soft_failed: AtomicU64,
    rejected: AtomicU64,
    forks: AtomicU64,
    merges: AtomicU64,
    resolutions: AtomicU64,
    conflicts: AtomicU64,
    given_up: AtomicU64,
}

/// What one turn adds, if it is written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) accepted: u64,
    pub(crate) soft_failed: u64,
    pub(crate) rejected: u64,
    pub(crate) forks: u64,
    pub(crate) merges: u64,
}

impl Counters {
    /// Adds what a turn has written.
    pub(crate) fn add(&self, counted: Counted) {
        let Counted { accepted, soft_failed, rejected, forks, merges } = counted;
        self.accepted.fetch_add(accepted, Ordering::Relaxed);
        self.soft_failed.fetch_add(soft_failed, Ordering::Relaxed);
        self.rejected.fetch_add(rejected, Ordering::Relaxed);
        self.forks.fetch_add(forks, Ordering::Relaxed);
        self.merges.fetch_add(merges, Ordering::Relaxed);
    }

    /// Counts that states which differed became one.
    pub(crate) fn count_resolution(&self, is_contested: bool) {
        self.resolutions.fetch_add(1, Ordering::Relaxed);
        self.conflicts.fetch_add(u64::from(is_contested), Ordering::Relaxed);
    }

    /// Counts an event that was given up.
    pub(crate) fn count_given_up(&self) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts so far.
    pub(crate) fn status(&self) -> RoomsStatus {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        RoomsStatus {
            accepted: read(&self.accepted),
            soft_failed: read(&self.soft_failed),
            rejected: read(&self.rejected),
            forks: read(&self.forks),
            merges: read(&self.merges),
            resolutions: read(&self.resolutions),
            conflicts: read(&self.conflicts),
            given_up: read(&self.given_up),
            ..RoomsStatus::default()
        }
    }
}
