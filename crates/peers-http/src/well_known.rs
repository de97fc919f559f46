//! Delegation: to whom a host has given the server-server API, and for how long that is remembered.
//! <https://spec.matrix.org/v1.19/server-server-api/#resolving-server-names>

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{
    HeaderMap,
    header::{CACHE_CONTROL, EXPIRES},
};
use parvis_ambient::{Clock, Timestamp};
use parvis_cache::Cache;
use parvis_peers::{Limits, PeerError};
use ruma::{OwnedServerName, ServerName};

use crate::{one_at_a_time::OneAtATime, web::Web};

const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(10), max_bytes: 50 << 10, despite_back_off: true };
const MINUTE: Duration = Duration::from_secs(60);
/// How long an answer holds that does not say so.
const DEFAULT_LIFETIME: Duration = MINUTE.saturating_mul(24 * 60);
/// Answers hold so long at most, and at least: some forbid to keep them, and would be asked for with each request.
const LONGEST_LIFETIME: Duration = MINUTE.saturating_mul(48 * 60);
const SHORTEST_LIFETIME: Duration = MINUTE.saturating_mul(5);
/// How long the lack of a good answer is remembered the first time. Each time again doubles it.
const FIRST_FAILURE: Duration = MINUTE.saturating_mul(5);
const LONGEST_FAILURE: Duration = MINUTE.saturating_mul(60);
/// How long past its end an answer is used where there is no new one only because nobody answers.
const GRACE: Duration = MINUTE.saturating_mul(60);
const MOST_REMEMBERED: u64 = 20_000;

/// A delegation that was found.
#[derive(Clone, Debug)]
pub(crate) struct Delegation {
    pub(crate) to: OwnedServerName,
    pub(crate) lifetime: Duration,
}

/// Why a host delegates to nobody.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum NoDelegation {
    /// It answered, and that is no delegation.
    #[error("{0}")]
    Answered(String),
    /// It could not be asked.
    #[error("{0}")]
    Silent(PeerError),
}

/// What is remembered of a host.
#[derive(Clone, Debug)]
struct Remembered {
    delegation: Option<OwnedServerName>,
    until: Timestamp,
    /// How often in a row there was no good answer.
    failures: u32,
    /// Until when the delegation stays though nobody answers.
    grace: Timestamp,
}

/// Knows delegations, and asks for those it does not know.
#[derive(Debug)]
pub(crate) struct WellKnown {
    web: Web,
    clock: Arc<dyn Clock>,
    remembered: Cache<String, Remembered>,
    asking: OneAtATime<String>,
}

impl WellKnown {
    pub(crate) fn new(web: Web, clock: Arc<dyn Clock>) -> Self {
        Self { web, clock, remembered: Cache::new(MOST_REMEMBERED), asking: OneAtATime::default() }
    }

    /// To whom a host delegates, if to anybody.
    pub(crate) async fn delegation(&self, host: &str) -> Option<OwnedServerName> {
        let host = host.to_ascii_lowercase();
        if let Some(known) = self.recall(&host) {
            return known.delegation;
        }
        let _turn = self.asking.turn(&host).await;
        if let Some(known) = self.recall(&host) {
            return known.delegation;
        }
        let before = self.remembered.get(&host);
        let learnt = learn(self.ask(&host).await, before, self.clock.now());
        self.remembered.insert(host, learnt.clone());
        learnt.delegation
    }

    /// What is remembered of a host and still holds.
    fn recall(&self, host: &str) -> Option<Remembered> {
        self.remembered.get(host).filter(|known| self.clock.now() < known.until)
    }

    /// Asks a host, whatever is remembered of it.
    pub(crate) async fn ask(&self, host: &str) -> Result<Delegation, NoDelegation> {
        let url = format!("https://{host}/.well-known/matrix/server");
        let answer = self.web.get(&url, LIMITS).await.map_err(NoDelegation::Silent)?;
        let (head, body) = answer.into_parts();
        if head.status.is_server_error() {
            let problem = format!("answered {}", head.status);
            return Err(NoDelegation::Silent(PeerError::Unreachable { server: host.to_owned(), problem }));
        }
        if head.status != http::StatusCode::OK {
            return Err(NoDelegation::Answered(format!("answered {}", head.status)));
        }
        let nameless = ServerName::parse(host).map_err(|error| NoDelegation::Answered(error.to_string()))?;
        let body = body.collect(&nameless, LIMITS.max_bytes).await.map_err(|error| match error {
            PeerError::TooLarge(_) => NoDelegation::Answered("the answer is too large".to_owned()),
            silent => NoDelegation::Silent(silent),
        })?;
        let to = delegated(&body).map_err(NoDelegation::Answered)?;
        Ok(Delegation { to, lifetime: lifetime(&head.headers, self.clock.now()) })
    }
}

/// The `m.server` of an answer.
fn delegated(body: &[u8]) -> Result<OwnedServerName, String> {
    let json: serde_json::Value =
        serde_json::from_slice(body).map_err(|error| format!("the answer is not JSON: {error}"))?;
    let name = json.get("m.server").and_then(serde_json::Value::as_str);
    let name = name.ok_or("the answer has no `m.server`")?;
    ServerName::parse(name).map_err(|_| format!("`m.server` is {name:?}, which is no server name"))
}

/// What to remember after asking.
fn learn(answer: Result<Delegation, NoDelegation>, before: Option<Remembered>, now: Timestamp) -> Remembered {
    let silent = match answer {
        Ok(Delegation { to, lifetime }) => {
            let until = now.plus(lifetime);
            return Remembered { delegation: Some(to), until, failures: 0, grace: until.plus(GRACE) };
        }
        Err(NoDelegation::Silent(_)) => true,
        Err(NoDelegation::Answered(_)) => false,
    };
    let failures = before.as_ref().map_or(0, |before| before.failures);
    let until = now.plus(FIRST_FAILURE.saturating_mul(1 << failures.min(8)).min(LONGEST_FAILURE));
    let kept = before.filter(|before| silent && before.delegation.is_some() && now < before.grace);
    let (delegation, grace) = kept.map_or((None, now), |before| (before.delegation, before.grace));
    // What is kept by grace is not kept beyond it.
    let until = if delegation.is_some() { until.min(grace) } else { until };
    Remembered { delegation, until, failures: failures + 1, grace }
}

/// How long an answer with these headers holds.
fn lifetime(headers: &HeaderMap, now: Timestamp) -> Duration {
    let said = cache_control(headers).or_else(|| expires(headers, now));
    said.unwrap_or(DEFAULT_LIFETIME).clamp(SHORTEST_LIFETIME, LONGEST_LIFETIME)
}

fn cache_control(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut max_age = None;
    for directive in values.flat_map(|value| value.split(',')) {
        let directive = directive.trim().to_ascii_lowercase();
        if directive == "no-store" || directive == "no-cache" {
            return Some(Duration::ZERO);
        }
        if let Some(age) = directive.strip_prefix("max-age=") {
            max_age = age.trim_matches('"').parse().ok().map(Duration::from_secs);
        }
    }
    max_age
}

fn expires(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(EXPIRES)?.to_str().ok()?;
    // A date that is none means the past.
    let Ok(date) = httpdate::parse_http_date(value) else { return Some(Duration::ZERO) };
    let since_epoch = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let then = Timestamp::default().plus(since_epoch);
    Some(then.since(now))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn answers_hold_as_long_as_they_say_within_bounds() {
        let minutes = |minutes| MINUTE * minutes;
        for (name, value, expected) in [
            ("x-nothing", "", minutes(24 * 60)),
            ("cache-control", "max-age=3600", minutes(60)),
            ("cache-control", "public, Max-Age=7200", minutes(120)),
            ("cache-control", "max-age=99999999999", minutes(48 * 60)),
            ("cache-control", "max-age=1", minutes(5)),
            ("cache-control", "max-age=nonsense", minutes(24 * 60)),
            ("cache-control", "no-store, max-age=3600", minutes(5)),
            // An hour after NOW, which is 22:13:20.
            ("expires", "Tue, 14 Nov 2023 23:13:20 GMT", minutes(60)),
            ("expires", "Tue, 14 Nov 2023 20:13:20 GMT", minutes(5)),
            ("expires", "0", minutes(5)),
        ] {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )]);
            assert_eq!(lifetime(&headers, NOW), expected, "{name}: {value}");
        }
    }

    #[test]
    fn delegation_is_read_from_json_only() {
        assert_eq!(delegated(br#"{"m.server":"a.example:443"}"#).unwrap(), "a.example:443");
        for wrong in
            ["", "<html>", "[]", "{}", r#"{"m.server":5}"#, r#"{"m.server":"a b"}"#, r#"{"m.server":""}"#]
        {
            assert!(delegated(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    fn found() -> Result<Delegation, NoDelegation> {
        let to = ServerName::parse("a.example").unwrap();
        Ok(Delegation { to, lifetime: DEFAULT_LIFETIME })
    }

    fn silent() -> Result<Delegation, NoDelegation> {
        Err(NoDelegation::Silent(PeerError::Timeout("b.example".to_owned())))
    }

    #[test]
    fn failures_are_remembered_twice_as_long_each_time_up_to_an_hour() {
        let mut now = NOW;
        let mut known: Option<Remembered> = None;
        for minutes in [5, 10, 20, 40, 60, 60] {
            let next = learn(Err(NoDelegation::Answered(String::new())), known, now);
            assert_eq!(next.until.since(now), MINUTE * minutes);
            (now, known) = (next.until, Some(next));
        }
        assert_eq!(learn(found(), known, now).failures, 0);
    }

    #[test]
    fn delegation_outlives_a_short_silence_but_no_contradiction() {
        let first = learn(found(), None, NOW);
        let later = first.until;
        let kept = learn(silent(), Some(first.clone()), later);
        assert!(kept.delegation.is_some());
        assert!(learn(silent(), Some(kept.clone()), kept.grace).delegation.is_none());
        let contradicted = Err(NoDelegation::Answered("answered 404".to_owned()));
        assert!(learn(contradicted, Some(first), later).delegation.is_none());
    }
}
