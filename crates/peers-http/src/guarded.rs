//! What stands before every exchange, on the real network and on a simulated one: whether this organisation
//! speaks with that server at all, and whether the server is left in peace for now.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{StatusCode, header::RETRY_AFTER};
use parvis_ambient::Ambient;
use parvis_peers::{Body, Limits, Page, PageWish, PeerError, Transport};
use parvis_storage::{StorageError, Store};
use ruma::{OwnedServerName, ServerName};

use crate::back_off::BackOff;

/// The longest that a server can have us wait by saying so.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// Whether this organisation speaks with a server.
pub type Admits = Arc<dyn Fn(&ServerName) -> bool + Send + Sync>;

/// A network behind a guard.
pub struct Guarded {
    inner: Arc<dyn Transport>,
    own: OwnedServerName,
    admits: Admits,
    back_off: BackOff,
}

impl fmt::Debug for Guarded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Guarded").field(&self.inner).finish()
    }
}

impl Guarded {
    /// Puts a guard before a network. Who failed is kept in the store. No request goes to `own`, this server.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn new(
        inner: Arc<dyn Transport>,
        own: OwnedServerName,
        admits: Admits,
        store: Store,
        ambient: Ambient,
    ) -> Result<Self, StorageError> {
        Ok(Self { inner, own, admits, back_off: BackOff::load(store, ambient).await? })
    }

    fn check(&self, server: &ServerName, limits: Limits) -> Result<(), PeerError> {
        if server == self.own {
            return Err(PeerError::Unsendable("this server asks itself".to_owned()));
        }
        if !(self.admits)(server) {
            return Err(PeerError::NotAPartner(server.to_string()));
        }
        match self.back_off.wait(server).filter(|_| !limits.despite_back_off) {
            None => Ok(()),
            Some(wait) => {
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                Err(PeerError::BackingOff { server: server.to_string(), wait_ms })
            }
        }
    }
}

/// How long at least a server is to be left in peace after this; none if it was reached. A single request that
/// it cannot serve (500) is no reason; a proxy in front of a dead server is, and so is being told to slow down.
fn verdict(outcome: &Result<http::Response<Body>, PeerError>) -> Option<Duration> {
    match outcome {
        Err(error) => error.is_silence().then_some(Duration::ZERO),
        Ok(answer) => match answer.status() {
            StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS => Some(retry_after(answer)),
            _ => None,
        },
    }
}

fn retry_after(answer: &http::Response<Body>) -> Duration {
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0)).min(LONGEST_RETRY_AFTER)
}

#[async_trait]
impl Transport for Guarded {
    async fn exchange(
        &self,
        destination: &ServerName,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        self.check(destination, limits)?;
        let began = self.back_off.now();
        let outcome = self.inner.exchange(destination, request, limits).await;
        match verdict(&outcome) {
            Some(at_least) => self.back_off.failed(destination, began, at_least).await,
            None => self.back_off.reached(destination).await,
        }
        outcome
    }

    async fn fetch(&self, url: &str, limits: Limits) -> Result<http::Response<Body>, PeerError> {
        self.inner.fetch(url, limits).await
    }

    async fn page(&self, url: &str, wish: &PageWish<'_>, limits: Limits) -> Result<Page, PeerError> {
        self.inner.page(url, wish, limits).await
    }

    async fn call_service(
        &self,
        base_url: &str,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        self.inner.call_service(base_url, request, limits).await
    }

    async fn notify(
        &self,
        url: &str,
        body: Bytes,
        limits: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        self.inner.notify(url, body, limits).await
    }

    fn heard_from(&self, server: &ServerName) {
        self.back_off.recover(server);
    }

    async fn until_due(&self, server: &ServerName) {
        self.back_off.until_due(server).await;
    }
}
