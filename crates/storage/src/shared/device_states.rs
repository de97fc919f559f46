//! What is new for devices, in memory.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parvis_cache::Cache;

use crate::{model::DeviceState, numbers::DeviceSn};

/// How many devices are kept in memory.
const DEVICES: u64 = 50_000;

/// The states of devices in memory. A commit that touches a device forgets its state.
#[derive(Debug)]
pub(crate) struct DeviceStates {
    states: Cache<DeviceSn, Arc<DeviceState>>,
    generation: AtomicU64,
}

impl DeviceStates {
    /// Nothing is known yet.
    pub(crate) fn new() -> Self {
        Self { states: Cache::new(DEVICES), generation: AtomicU64::new(0) }
    }

    /// A device's state, if memory has it.
    pub(crate) fn get(&self, device: DeviceSn) -> Option<Arc<DeviceState>> {
        self.states.get(&device)
    }

    /// How many commits have touched devices so far; see [`keep`](Self::keep).
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Brings the memory up to date with a commit that touched these devices.
    pub(crate) fn apply(&self, touched: &[DeviceSn]) {
        if touched.is_empty() {
            return;
        }
        self.generation.fetch_add(1, Ordering::AcqRel);
        touched.iter().for_each(|device| self.states.remove(device));
    }

    /// Keeps what was read, unless something changed since before the reading.
    pub(crate) fn keep(&self, device: DeviceSn, state: &Arc<DeviceState>, generation: u64) {
        self.states.insert(device, Arc::clone(state));
        if self.generation() != generation {
            self.states.remove(&device);
        }
    }
}
