//! How many messages came for each device, and how much of what waits each sender may have. What is done about it is
//! not known here.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use parvis_storage::DeviceSn;

/// After how many messages to a device it is looked at how many wait.
const LOOK_AFTER: u32 = 200;
/// Of how many devices it is remembered how many messages came.
const MOST_DEVICES: usize = 100_000;

/// How much may wait for one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoxLimits {
    /// How many messages, about: some hundred more may wait.
    pub messages: u64,
    /// How many characters they may have together, about.
    pub size: u64,
}

impl Default for BoxLimits {
    fn default() -> Self {
        Self { messages: 10_000, size: 32 << 20 }
    }
}

/// How many messages came for each device since it was looked at last.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(Mutex<HashMap<DeviceSn, u32>>);

impl Arrivals {
    /// Counts messages; gives the devices that are to be looked at.
    pub(crate) fn count(&self, devices: &[DeviceSn]) -> Vec<DeviceSn> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() + devices.len() > MOST_DEVICES {
            counts.clear();
        }
        let mut due = Vec::new();
        for device in devices {
            let count = counts.entry(*device).or_default();
            *count += 1;
            if *count >= LOOK_AFTER {
                counts.remove(device);
                due.push(*device);
            }
        }
        due
    }
}

/// The greatest share that each of these may have, so that together they have no more than `most`.
pub(crate) fn share(amounts: impl Iterator<Item = u64>, most: u64) -> u64 {
    let mut amounts: Vec<u64> = amounts.collect();
    amounts.sort_unstable();
    let mut left = most;
    let mut others = u64::try_from(amounts.len()).unwrap_or(u64::MAX);
    for amount in amounts {
        if amount > left / others {
            return left / others;
        }
        left -= amount;
        others -= 1;
    }
    u64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_little_keeps_it_and_the_others_share_the_rest() {
        let table: [(&[u64], u64, u64); 7] = [
            (&[], 10, u64::MAX),
            (&[10], 10, u64::MAX),
            (&[11], 10, 10),
            (&[1, 20], 10, 9),
            (&[20, 1, 2, 30], 10, 3),
            (&[5, 5, 5], 10, 3),
            (&[1, 1, 1], 2, 0),
        ];
        for (amounts, most, expected) in table {
            assert_eq!(share(amounts.iter().copied(), most), expected, "{amounts:?}");
        }
    }

    #[test]
    fn device_is_looked_at_each_time_enough_came() {
        let arrivals = Arrivals::default();
        let mut due = 0;
        for _ in 0..LOOK_AFTER * 3 {
            due += arrivals.count(&[DeviceSn(1), DeviceSn(2)]).len();
        }
        assert_eq!(due, 6);
    }
}
