//! What is new for a device beside events.

use std::collections::BTreeMap;

use crate::Position;

/// What a device has left of its keys, and whether messages wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceState {
    /// How many one-time keys of each algorithm nobody has claimed.
    pub one_time_keys: BTreeMap<String, u64>,
    /// The algorithms for which there is a fallback key that nobody has used.
    pub unused_fallback: Vec<String>,
    /// Where the oldest message stands that waits for the device.
    pub waiting: Option<Position>,
}
