//! Clocks: the machine's, and one that a test moves by hand.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use tokio::sync::watch;

/// A point in time: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The milliseconds since the Unix epoch.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// This time, later by `duration`. Saturates at the end of time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The next time, or this one, that is a whole number of these spans after the epoch. A span of less than a
    /// millisecond counts as one.
    #[must_use]
    pub fn round_up(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX).max(1);
        let over = self.0.rem_euclid(span);
        if over == 0 { self } else { Self(self.0.saturating_add(span - over)) }
    }

    /// How long after `earlier` this time is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A source of time, and of waiting.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present time.
    fn now(&self) -> Timestamp;

    /// Completes once `duration` has passed on this clock.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The machine's clock, made monotonic within the process: it never goes back.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest: AtomicI64,
}

impl SystemClock {
    /// A clock that reads the machine's time.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = since_epoch.map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX));
        Timestamp(self.latest.fetch_max(now, Ordering::Relaxed).max(now))
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct TestClock {
    now: watch::Sender<i64>,
}

impl TestClock {
    /// A clock that shows `start` (milliseconds since the Unix epoch).
    pub fn starting_at(start: i64) -> Self {
        Self { now: watch::Sender::new(start) }
    }

    /// Moves the clock forward and wakes every sleeper whose time has come.
    pub fn advance(&self, duration: Duration) {
        self.now.send_modify(|now| *now = Timestamp(*now).plus(duration).0);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(*self.now.borrow())
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let until = self.now().plus(duration).0;
        let mut now = self.now.subscribe();
        Box::pin(async move {
            // The sender lives in `self`, which this future borrows, so waiting cannot fail.
            let _ = now.wait_for(|now| *now >= until).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleeper_on_a_test_clock_wakes_when_the_clock_is_moved() {
        let clock = TestClock::starting_at(1_000);
        let sleeper = clock.sleep(Duration::from_secs(5));
        clock.advance(Duration::from_secs(5));
        sleeper.await;
        assert_eq!(clock.now(), Timestamp(6_000));
    }

    #[test]
    fn duration_since_a_later_time_is_zero() {
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
        assert_eq!(Timestamp(9).since(Timestamp(5)), Duration::from_millis(4));
    }
}
