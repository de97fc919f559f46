//! The wall clock. A load generator measures time and nothing else here needs a simulated one, so this is
//! the one place of the crate that reads it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// This moment, for differences.
#[expect(clippy::disallowed_methods, reason = "a load generator runs in real time only")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since the Unix epoch: makes the names of one run differ from those of the last.
#[expect(clippy::disallowed_methods, reason = "a load generator runs in real time only")]
pub(crate) fn epoch_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}
