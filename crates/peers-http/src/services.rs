//! Application services: programs of the operator's own, at URLs that the operator has written down. They may be on this
//! machine and in private networks, so no address is kept from us; time and size are bounded.

use std::time::Duration;

use bytes::Bytes;
use parvis_peers::{Body, Limits, PeerError};
use reqwest::{Client, redirect::Policy};
use rustls::ClientConfig;

use crate::answer::{bounded, trouble};

/// How long an idle connection is kept: shorter than bridges and proxies keep theirs.
const KEEP_IDLE: Duration = Duration::from_secs(20);

/// Calls application services.
#[derive(Debug)]
pub(crate) struct Services(Client);

impl Services {
    pub(crate) fn new(tls: ClientConfig, connect_timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .http1_only()
            .user_agent(concat!("Parvis/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(connect_timeout)
            .pool_idle_timeout(KEEP_IDLE)
            .build()?;
        Ok(Self(client))
    }

    pub(crate) async fn call(
        &self,
        base_url: &str,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        let deadline = tokio::time::sleep(limits.timeout).deadline();
        let (head, body) = request.into_parts();
        let url = format!("{base_url}{}", head.uri);
        let sending = self.0.request(head.method, url).headers(head.headers).body(body).send();
        let answer = tokio::time::timeout_at(deadline, sending).await;
        let answer = answer.map_err(|_| PeerError::Timeout(base_url.to_owned()))?;
        let answer = answer.map_err(|error| trouble(base_url, &error))?;
        bounded(answer, base_url, limits.max_bytes, deadline, ())
    }
}
