//! Telling one server what it is to be told, transaction by transaction, until nothing is left or it does not
//! answer.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parvis_peers::{Limits, PeerError};
use parvis_storage::{StorageError, WriteSet};
use ruma::{OwnedServerName, ServerName};
use serde::Deserialize;
use serde_json::Value;

use super::Inner;
use crate::{audience::missed, error::refused, load::Transaction, queue::Step, transaction::compose};

/// How often a transaction is refused as bad before it is given up.
const MOST_REFUSALS: u32 = 5;

/// How an attempt ended that did not succeed.
enum Failure {
    /// The database failed.
    Storage(StorageError),
    /// The server was not reached, or did not take it.
    Peer(PeerError),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// Tells a server what it is to be told.
pub(crate) async fn run(inner: Arc<Inner>, server: OwnedServerName) {
    let mut retry = inner.queues().get_mut(&server).is_some_and(|queue| queue.is_failing());
    loop {
        let step = {
            let mut queues = inner.queues();
            let (following, now) = (queues.following, inner.ambient.now());
            let Some(queue) = queues.get_mut(&server) else { return };
            let step = queue.next_step(following, now);
            if matches!(step, Step::Rest) {
                queues.rest(&server, retry);
                break;
            }
            step
        };
        match take(&inner, &server, step).await {
            Ok(Reached::Yes) => inner.queues().succeed(&mut retry),
            Ok(Reached::NotAsked) => {}
            Err(failure) => {
                fail(&inner, &server, retry, &failure);
                break;
            }
        }
    }
    // Where it stands is to be written, or its next attempt waited for.
    inner.nudge.notify_one();
}

/// Whether a step has reached the server.
enum Reached {
    /// It has.
    Yes,
    /// It did not ask for anything.
    NotAsked,
}

/// Takes one step.
async fn take(inner: &Inner, server: &ServerName, step: Step) -> Result<Reached, Failure> {
    let transaction = match step {
        Step::Rest => return Ok(Reached::NotAsked),
        Step::LookUp { after, until } => {
            let missed = missed(&inner.store, inner.own(), server, after, until).await?;
            tracing::debug!(%server, events = missed.events.len(), "a server is told what it has missed");
            if let Some(queue) = inner.queues().get_mut(server) {
                queue.catch_up(missed.events, missed.receipts);
            }
            return Ok(Reached::NotAsked);
        }
        Step::Retry(transaction) => transaction,
        Step::Tell(load) => {
            let (id, now) = (inner.new_transaction_id(), inner.ambient.now());
            let composed = compose(&inner.store, inner.own(), server, id, &load, now).await;
            let mut queues = inner.queues();
            let queue = queues.get_mut(server);
            match composed {
                Ok(composed) => {
                    let transaction = Arc::new(composed);
                    queue.into_iter().for_each(|queue| queue.begin(&transaction));
                    transaction
                }
                Err(error) => {
                    queue.into_iter().for_each(|queue| queue.take_back(&load));
                    return Err(error.into());
                }
            }
        }
    };
    let forced = inner.queues().get_mut(server).is_some_and(|queue| queue.take_forced());
    if !transaction.is_empty {
        match deliver(inner, server, &transaction, forced).await {
            Err(Failure::Peer(error)) if is_given_up(inner, server, &error) => {
                tracing::warn!(%server, %error, "a transaction is refused again and again; it is given up");
            }
            outcome => outcome?,
        }
    }
    if let Some(last) = transaction.last_stored_edu {
        let mut set = WriteSet::new();
        set.delete_outgoing_edus(server, last);
        inner.store.commit(set).await.map_err(refused)?;
    }
    if let Some(queue) = inner.queues().get_mut(server) {
        queue.arrive(&transaction);
    }
    Ok(if transaction.is_empty { Reached::NotAsked } else { Reached::Yes })
}

/// What a server answers to a transaction.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    pdus: BTreeMap<String, Value>,
}

/// Carries a transaction to its server.
async fn deliver(
    inner: &Inner,
    server: &ServerName,
    transaction: &Transaction,
    forced: bool,
) -> Result<(), Failure> {
    let uri = format!("/_matrix/federation/v1/send/{}", transaction.id);
    let request = http::Request::put(uri)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(transaction.body.clone())
        .map_err(|error| PeerError::Unsendable(error.to_string()))
        .map_err(Failure::Peer)?;
    let limits = Limits { despite_back_off: forced, ..Limits::TRANSACTION };
    let answer = inner.federation.exchange(server, request, limits).await.map_err(Failure::Peer)?;
    let body = answer.into_body().collect(server, limits.max_bytes).await.map_err(Failure::Peer)?;
    // It has taken the transaction, whatever it says of it.
    let Ok(answer) = serde_json::from_slice::<Answer>(&body) else { return Ok(()) };
    for (event, outcome) in answer.pdus {
        if let Some(error) = outcome.get("error") {
            tracing::debug!(%server, event, %error, "a server does not take an event");
        }
    }
    Ok(())
}

/// Takes note of an attempt that failed.
fn fail(inner: &Inner, server: &ServerName, retry: bool, failure: &Failure) {
    inner.count_failure();
    let now = inner.ambient.now();
    let mut queues = inner.queues();
    let wait = match failure {
        Failure::Storage(error) => {
            tracing::error!(%server, %error, "cannot find out what a server is to be told");
            None
        }
        Failure::Peer(PeerError::NotAPartner(_)) => {
            let followed = queues.followed;
            queues.get_mut(server).into_iter().for_each(|queue| queue.give_up(followed));
            return queues.rest(server, retry);
        }
        Failure::Peer(PeerError::BackingOff { wait_ms, .. }) => Some(Duration::from_millis(*wait_ms)),
        Failure::Peer(error) => {
            tracing::debug!(%server, %error, "a server did not take a transaction");
            None
        }
    };
    queues.fail(server, retry, now, wait);
}

/// Whether the server has said often enough that the transaction itself is bad.
fn is_given_up(inner: &Inner, server: &ServerName, error: &PeerError) -> bool {
    let bad = match error {
        PeerError::Refused { status, .. } => matches!(status.as_u16(), 400 | 413 | 422),
        PeerError::Unsendable(_) => true,
        _ => false,
    };
    bad && inner.queues().get_mut(server).is_some_and(|queue| queue.count_refusal() >= MOST_REFUSALS)
}
