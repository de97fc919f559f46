//! Limits for those who ask too often: a bucket for each user, address or account name.
//!
//! Kept in memory, and so counted on each node by itself. The clock comes in from outside.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use parvis_accounts::Session;
use parvis_ambient::Clock;
use parvis_cache::Cache;
use parvis_wire::MatrixError;

/// How many are counted at a time by one limiter. Those who have not asked for the longest time are forgotten.
const MOST_KEYS: u64 = 100_000;

/// How often something may be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// How often per second in the long run; 0 is without limit.
    pub per_second: f64,
    /// How often at once.
    pub burst: u32,
}

impl RateLimit {
    /// Without limit.
    pub const OFF: Self = Self { per_second: 0.0, burst: 0 };
}

/// The limits of an organisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimitSettings {
    /// Logins per address, and failed ones per account.
    pub login: RateLimit,
    /// Registrations per address.
    pub registration: RateLimit,
    /// Messages and state per user.
    pub messages: RateLimit,
    /// Joins per user.
    pub joins: RateLimit,
    /// Invites per user.
    pub invites: RateLimit,
    /// Reports per user.
    pub reports: RateLimit,
    /// Mails that somebody has sent, per address from which they ask and per address of mail.
    pub mails: RateLimit,
    /// Searches per user.
    pub searches: RateLimit,
}

impl RateLimitSettings {
    /// Nobody is limited.
    pub const OFF: Self = Self {
        login: RateLimit::OFF,
        registration: RateLimit::OFF,
        messages: RateLimit::OFF,
        joins: RateLimit::OFF,
        invites: RateLimit::OFF,
        reports: RateLimit::OFF,
        mails: RateLimit::OFF,
        searches: RateLimit::OFF,
    };
}

/// A limiter for each kind of request that is limited.
#[derive(Debug)]
pub struct RateLimits {
    /// Logins per address, and failed ones per account.
    pub login: RateLimiter,
    /// Registrations per address.
    pub registration: RateLimiter,
    /// Messages and state per user.
    pub messages: RateLimiter,
    /// Joins per user.
    pub joins: RateLimiter,
    /// Invites per user.
    pub invites: RateLimiter,
    /// Reports per user.
    pub reports: RateLimiter,
    /// Mails that somebody has sent, per address from which they ask and per address of mail.
    pub mails: RateLimiter,
    /// Searches per user.
    pub searches: RateLimiter,
}

impl RateLimits {
    /// Limiters that have not counted anything yet.
    pub fn new(settings: &RateLimitSettings, clock: &Arc<dyn Clock>) -> Self {
        let limiter = |limit| RateLimiter::new(limit, Arc::clone(clock));
        Self {
            login: limiter(settings.login),
            registration: limiter(settings.registration),
            messages: limiter(settings.messages),
            joins: limiter(settings.joins),
            invites: limiter(settings.invites),
            reports: limiter(settings.reports),
            mails: limiter(settings.mails),
            searches: limiter(settings.searches),
        }
    }
}

/// Whom a limiter counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RateLimitKey {
    /// A user who is logged in.
    User(i64),
    /// Whoever comes from an address; all together who come from an unknown one.
    Address(Option<IpAddr>),
    /// Whoever says that they are this account, in small letters.
    Account(String),
}

/// Lets so many through at once, and then so many per second.
#[derive(Debug)]
pub struct RateLimiter {
    /// Microseconds between two requests in the long run; 0 is without limit.
    interval: i64,
    /// How many microseconds somebody may be ahead of that.
    tolerance: i64,
    clock: Arc<dyn Clock>,
    /// For each key, the time in microseconds at which its bucket is full again.
    full_at: Cache<RateLimitKey, Arc<AtomicI64>>,
}

impl RateLimiter {
    /// A limiter that has not counted anything yet.
    pub fn new(limit: RateLimit, clock: Arc<dyn Clock>) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a conversion from float saturates, as it should"
        )]
        let interval = if limit.per_second > 0.0 { (1_000_000.0 / limit.per_second) as i64 } else { 0 };
        Self {
            interval,
            tolerance: interval.saturating_mul(i64::from(limit.burst.max(1))),
            clock,
            full_at: Cache::new(MOST_KEYS),
        }
    }

    /// Counts a request of this user, unless it comes from an application service that is not limited.
    ///
    /// # Errors
    /// `M_LIMIT_EXCEEDED` if it is one too many; it is not counted then.
    pub fn check(&self, session: &Session) -> Result<(), MatrixError> {
        if session.service.as_ref().is_some_and(|service| !service.is_limited(&session.user_id)) {
            return Ok(());
        }
        self.count(RateLimitKey::User(session.user.0))
    }

    /// Counts a request.
    ///
    /// # Errors
    /// `M_LIMIT_EXCEEDED` if it is one too many; it is not counted then.
    pub fn count(&self, key: RateLimitKey) -> Result<(), MatrixError> {
        if self.interval == 0 {
            return Ok(());
        }
        let full_at = self.full_at.get_with(key, Arc::default);
        let now = self.now();
        let counted = full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            let next = full_at.max(now).saturating_add(self.interval);
            (next - now <= self.tolerance).then_some(next)
        });
        counted.map(drop).map_err(|full_at| self.refusal(full_at, now))
    }

    /// Whether one more request would be let through; it is not counted.
    ///
    /// # Errors
    /// `M_LIMIT_EXCEEDED` if it would not.
    pub fn peek(&self, key: &RateLimitKey) -> Result<(), MatrixError> {
        let Some(full_at) = self.full_at.get(key) else { return Ok(()) };
        let (full_at, now) = (full_at.load(Ordering::Relaxed), self.now());
        let fits = full_at.max(now).saturating_add(self.interval) - now <= self.tolerance;
        if fits { Ok(()) } else { Err(self.refusal(full_at, now)) }
    }

    fn now(&self) -> i64 {
        self.clock.now().millis().saturating_mul(1_000)
    }

    fn refusal(&self, full_at: i64, now: i64) -> MatrixError {
        let wait = full_at.saturating_add(self.interval) - now - self.tolerance;
        MatrixError::limit_exceeded(Duration::from_millis(u64::try_from(wait / 1_000 + 1).unwrap_or(1)))
    }
}

#[cfg(test)]
mod tests {
    use parvis_ambient::TestClock;

    use super::*;

    const KEY: RateLimitKey = RateLimitKey::User(1);

    fn limiter(per_second: f64, burst: u32) -> (RateLimiter, Arc<TestClock>) {
        let clock = Arc::new(TestClock::starting_at(1_000_000));
        (RateLimiter::new(RateLimit { per_second, burst }, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    fn let_through(limiter: &RateLimiter, tries: usize) -> usize {
        (0..tries).filter(|_| limiter.count(KEY).is_ok()).count()
    }

    #[test]
    fn burst_is_let_through_and_then_the_rate() {
        let (limiter, clock) = limiter(2.0, 5);
        assert_eq!(let_through(&limiter, 10), 5);
        clock.advance(Duration::from_secs(1));
        assert_eq!(let_through(&limiter, 10), 2);
        clock.advance(Duration::from_secs(3_600));
        assert_eq!(let_through(&limiter, 10), 5, "no more than a burst is saved up");
    }

    #[test]
    fn keys_are_counted_apart() {
        let (limiter, _clock) = limiter(1.0, 1);
        assert!(limiter.count(KEY).is_ok() && limiter.count(KEY).is_err());
        assert!(limiter.count(RateLimitKey::User(2)).is_ok());
    }

    #[test]
    fn waiting_as_long_as_told_is_enough() {
        let (limiter, clock) = limiter(0.3, 2);
        assert_eq!(let_through(&limiter, 3), 2);
        assert!(limiter.peek(&KEY).is_err());
        clock.advance(Duration::from_millis(3_333));
        assert!(limiter.peek(&KEY).is_err());
        clock.advance(Duration::from_millis(2));
        assert!(limiter.peek(&KEY).is_ok() && limiter.count(KEY).is_ok());
    }

    #[test]
    fn rate_of_zero_is_without_limit() {
        let (limiter, _clock) = limiter(0.0, 0);
        assert_eq!(let_through(&limiter, 1_000), 1_000);
        assert!(limiter.peek(&KEY).is_ok());
    }
}
