//! What a simulated homeserver holds in memory at a moment, and what its rooms have been through, also before it
//! crashed.

use parvis_server::{OutboundStatus, RoomsStatus};

use super::member::{Member, Running};

/// What a homeserver holds at a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sizes {
    /// Its asynchronous tasks.
    pub tasks: usize,
    /// What other servers have not been told.
    pub outbound: OutboundStatus,
    /// Its rooms.
    pub rooms: RoomsStatus,
}

impl Running {
    fn sizes(&self) -> Sizes {
        Sizes { tasks: self.tasks(), outbound: self.outbound_status(), rooms: self.rooms_status() }
    }
}

impl Member {
    /// What it holds now, if it runs.
    pub(crate) fn sizes(&self) -> Option<Sizes> {
        self.running.as_ref().map(Running::sizes)
    }

    /// What its rooms have been through, one for each time that it has started.
    pub(crate) fn histories(&self) -> Vec<RoomsStatus> {
        self.before.iter().copied().chain(self.running.as_ref().map(Running::rooms_status)).collect()
    }
}
