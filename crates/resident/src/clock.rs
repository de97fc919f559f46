//! The wall clock: a tool for measuring runs in real time only, and this is the one place that reads it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// This moment, for differences.
#[expect(clippy::disallowed_methods, reason = "a tool for measuring runs in real time only")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a tool for measuring runs in real time only")]
pub(crate) fn epoch_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
