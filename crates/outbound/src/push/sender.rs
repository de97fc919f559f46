//! Telling one pusher what it is to be told, one notification after the other, until nothing is left or its gateway
//! does not answer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{StatusCode, header::RETRY_AFTER};
use parvis_peers::{Limits, MailError, PeerError};
use parvis_policy::push::{PushContent, Tell};
use parvis_storage::{EventSn, Position, PusherKey, StorageError, StoredPusher, WriteSet};
use serde::Deserialize;

use super::{
    Inner,
    mail::{self, MAIL_SERVER},
    notification::{Target, Words, of_badge, of_event},
    pushers::Number,
    queue::Step,
};
use crate::error::refused;

/// How many events are looked up at once.
const MOST_FOUND: usize = 500;
/// Of what happened longer ago nobody is told any more.
const TOO_OLD: Duration = Duration::from_secs(24 * 3_600);
/// How often a gateway may find fault with a notification before it is given up.
const MOST_REFUSALS: u32 = 5;
/// Within which time those are tried who wait for a gateway that has answered again.
const SOON: Duration = Duration::from_secs(5);

/// Why a step did not succeed.
pub(super) enum Failure {
    /// The database failed.
    Storage(StorageError),
    /// The gateway was not reached, or did not take the notification.
    Gateway { url: String, error: PeerError, at_least: Duration },
    /// The mail server was not reached, or did not take a mail.
    Mail(MailError),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// How a notification fared that was not refused.
enum Outcome {
    /// The gateway has taken it.
    Taken,
    /// The gateway knows the pusher no more. It is gone.
    Gone,
}

/// Tells a pusher what it is to be told.
pub(super) async fn run(inner: Arc<Inner>, number: Number) {
    let retry = inner.pushers().is_failing(number);
    let is_mail = inner.pushers().key(number).is_some_and(|key| key.is_mail());
    if is_mail && let Err(failure) = mail::send(&inner, number).await {
        fail(&inner, number, &failure);
    }
    while !is_mail && !inner.closing.is_cancelled() {
        let step = inner.pushers().next_step(number);
        let Some(key) = inner.pushers().key(number) else { break };
        let done = match step {
            Step::Rest => break,
            Step::LookUp { after, until } => look_up(&inner, number, &key, after, until).await,
            Step::Tell(position, event) => tell(&inner, number, &key, position, event).await,
            Step::Badge => {
                let told = tell_badge(&inner, number, &key).await;
                inner.pushers().queue(number).into_iter().for_each(|queue| queue.finish_badge(told.is_ok()));
                told
            }
        };
        if let Err(failure) = done {
            fail(&inner, number, &failure);
            break;
        }
    }
    if retry {
        inner.pushers().end_retry();
    }
    inner.nudge.notify_one();
}

/// Finds out what a pusher is to be told that lags behind.
async fn look_up(
    inner: &Inner,
    number: Number,
    key: &PusherKey,
    after: Position,
    until: Position,
) -> Result<(), Failure> {
    let found = inner.attention.unread_between(key.user, after, until, MOST_FOUND).await;
    let mut pushers = inner.pushers();
    let Some(queue) = pushers.queue(number) else { return Ok(()) };
    match found {
        Ok(found) => {
            let all = found.len() < MOST_FOUND;
            queue.take_found(found, until, all);
            Ok(())
        }
        Err(error) => {
            queue.put_back(until);
            Err(error.into())
        }
    }
}

/// Tells of an event, unless nobody is to be told of it any more.
async fn tell(
    inner: &Inner,
    number: Number,
    key: &PusherKey,
    position: Position,
    event: EventSn,
) -> Result<(), Failure> {
    let event = inner.store.event(event).await?;
    let oldest = inner.ambient.now().millis() - i64::try_from(TOO_OLD.as_millis()).unwrap_or(0);
    let is_too_old = event.pdu.origin_server_ts() < oldest;
    if is_too_old {
        inner.pushers().queue(number).into_iter().for_each(super::queue::Queue::add_badge);
    } else if let Some((pusher, target)) = wanted(inner, number, key).await? {
        let actions = inner.attention.actions(key.user, &event).await?;
        if !actions.is_empty() {
            let unread = inner.attention.badge(key.user).await?;
            let user_id = inner.store.user_id(key.user).await?;
            let only_ids = inner.settings.rules.content == PushContent::Ids;
            let words = Words::of(&inner.store, &target, only_ids, &user_id, &event).await?;
            let body = of_event(&pusher, &target, &event, words, &actions, unread);
            match deliver(inner, number, &pusher, &target, body, unread).await {
                Ok(Outcome::Taken) => inner.count_told(),
                Ok(Outcome::Gone) => return Ok(()),
                Err(failure) if is_given_up(inner, number, &failure) => {
                    tracing::warn!(
                        gateway = target.url(),
                        "a push gateway refuses a notification; it is given up"
                    );
                }
                Err(failure) => return Err(failure),
            }
        }
    }
    inner.pushers().queue(number).into_iter().for_each(|queue| queue.finish(position));
    Ok(())
}

/// Tells the number on the icon, if it is another than it was.
async fn tell_badge(inner: &Inner, number: Number, key: &PusherKey) -> Result<(), Failure> {
    let unread = inner.attention.badge(key.user).await?;
    if inner.pushers().badge(number) == Some(unread) {
        return Ok(());
    }
    let Some((pusher, target)) = wanted(inner, number, key).await? else { return Ok(()) };
    let body = of_badge(&pusher, &target, unread);
    deliver(inner, number, &pusher, &target, body, unread).await.map(drop)
}

/// A pusher as it is now, and where it is told; nothing, if it is to be told nothing.
async fn wanted(
    inner: &Inner,
    number: Number,
    key: &PusherKey,
) -> Result<Option<(StoredPusher, Target)>, StorageError> {
    let Some(pusher) = inner.store.pusher(key).await?.filter(|pusher| pusher.enabled) else {
        inner.pushers().forget(number);
        return Ok(None);
    };
    let target = Target::of(&pusher).filter(|target| {
        let decision = inner.settings.rules.may_tell(target.url());
        if decision.outcome != Tell::Yes {
            tracing::debug!(gateway = target.url(), reason = decision.rule, "a pusher is told nothing");
        }
        decision.outcome == Tell::Yes
    });
    Ok(target.map(|target| (pusher, target)))
}

/// What a gateway answers.
#[derive(Default, Deserialize)]
struct Answer {
    #[serde(default)]
    rejected: Vec<String>,
}

/// Carries a notification to a gateway.
async fn deliver(
    inner: &Inner,
    number: Number,
    pusher: &StoredPusher,
    target: &Target,
    body: Bytes,
    unread: u64,
) -> Result<Outcome, Failure> {
    let url = target.url();
    let failed =
        |error: PeerError, at_least: Duration| Failure::Gateway { url: url.to_owned(), error, at_least };
    let answer = inner.network.notify(url, body, Limits::PUSH).await;
    let answer = answer.map_err(|error| failed(error, Duration::ZERO))?;
    let (status, at_least) = (answer.status(), retry_after(&answer));
    if !status.is_success() {
        return Err(failed(refusal(url, status), at_least));
    }
    // What is no answer of a gateway rejects nothing.
    let answer = answer.into_body().collect(url, Limits::PUSH.max_bytes).await;
    let answer: Answer = answer.ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
    let soon = Duration::from_millis(inner.ambient.chance.number() % 1_000).min(SOON);
    inner.pushers().succeed(number, unread, gateway(url), inner.ambient.now().plus(soon));
    let key = &pusher.key;
    if !answer.rejected.contains(&key.pushkey) {
        return Ok(Outcome::Taken);
    }
    tracing::info!(
        gateway = url,
        app_id = key.app_id,
        "a push gateway rejects a pushkey; its pusher is removed"
    );
    let mut set = WriteSet::new();
    set.delete_pusher(key.user, &key.app_id, &key.pushkey);
    inner.store.commit(set).await.map_err(refused)?;
    inner.pushers().forget(number);
    Ok(Outcome::Gone)
}

fn refusal(url: &str, status: StatusCode) -> PeerError {
    PeerError::Refused {
        server: gateway(url).to_owned(),
        status,
        errcode: String::new(),
        message: String::new(),
        body: None,
    }
}

/// How long a gateway wishes to be left in peace.
fn retry_after<B>(answer: &http::Response<B>) -> Duration {
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

/// What a URL has before its path.
fn gateway(url: &str) -> &str {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    authority.split('/').next().unwrap_or(authority)
}

/// Whether a gateway has said often enough that the notification itself is bad.
fn is_given_up(inner: &Inner, number: Number, failure: &Failure) -> bool {
    let Failure::Gateway { error, .. } = failure else { return false };
    let bad = match error {
        PeerError::Refused { status, .. } => matches!(status.as_u16(), 400 | 413 | 422),
        PeerError::Unsendable(_) => true,
        _ => false,
    };
    bad && inner.pushers().queue(number).is_some_and(|queue| queue.count_refusal() >= MOST_REFUSALS)
}

/// Takes note of an attempt that failed.
fn fail(inner: &Inner, number: Number, failure: &Failure) {
    inner.count_failure();
    let (place, at_least) = match failure {
        Failure::Storage(error) => {
            tracing::error!(%error, "cannot find out what a pusher is to be told");
            (None, Duration::ZERO)
        }
        Failure::Mail(error) => {
            tracing::debug!(%error, "the mail server did not take a mail of missed messages");
            (Some(MAIL_SERVER), Duration::ZERO)
        }
        Failure::Gateway { url, error, at_least } => {
            tracing::debug!(gateway = url, %error, "a push gateway did not take a notification");
            (Some(gateway(url)), *at_least)
        }
    };
    let (now, share) = (inner.ambient.now(), inner.ambient.chance.number());
    inner.pushers().fail(number, place, now, at_least, share);
}
