//! Push gateways: posting to URLs that users' apps name.
//!
//! Gateways are on the public Internet and speak TLS. Those in the ranges that the operator has named for them may do
//! without TLS: that is the gateway on the same machine, or in the same network. Knows nothing of what is posted.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use parvis_ambient::Chance;
use parvis_peers::{Body, Limits, PeerError};
use reqwest::{Client, Url, redirect::Policy};
use rustls::ClientConfig;

use crate::{
    address_guard::{AddressGuard, AddressRange},
    answer::{bounded, trouble},
    dns::Dns,
    locate::{Locator, Ports},
    route::literal,
    slots::Slots,
    web::{ToAddresses, builder},
};

/// How many notifications are under way at a time, in all and to one gateway. Few gateways serve all phones.
const MOST_AT_ONCE: usize = 512;
const MOST_AT_ONCE_PER_GATEWAY: usize = 32;
const KEEP_IDLE_PER_GATEWAY: usize = 16;

/// Posts to push gateways.
pub(crate) struct Gateways {
    /// With TLS, on the public Internet and in the operator's ranges.
    secure: Way,
    /// Without TLS, in the operator's ranges.
    plain: Way,
    slots: Slots,
}

struct Way {
    client: Client,
    guard: AddressGuard,
}

impl Gateways {
    pub(crate) fn new(
        ranges: &[AddressRange],
        (ports, connect_timeout): (Ports, Duration),
        dns: &Arc<dyn Dns>,
        tls: &ClientConfig,
        chance: Arc<dyn Chance>,
    ) -> Result<Self, reqwest::Error> {
        let way = |guard: AddressGuard| {
            let locator = Locator::new(Arc::clone(dns), guard.clone(), ports, Arc::clone(&chance));
            // The scheme says which port is meant where a URL names none.
            let resolver = ToAddresses { locator, port: 0 };
            let client = builder(tls.clone(), resolver, Policy::none(), connect_timeout)
                .pool_max_idle_per_host(KEEP_IDLE_PER_GATEWAY)
                .build()?;
            Ok::<_, reqwest::Error>(Way { client, guard })
        };
        Ok(Self {
            secure: way(AddressGuard::new(ranges.iter().copied()))?,
            plain: way(AddressGuard::only(ranges.iter().copied()))?,
            slots: Slots::new(MOST_AT_ONCE, MOST_AT_ONCE_PER_GATEWAY),
        })
    }

    /// The answer of whatever status to a `POST` of JSON. The time begins when it is this one's turn at the gateway.
    pub(crate) async fn notify(
        &self,
        url: &str,
        body: Bytes,
        limits: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        let parsed = Url::parse(url).map_err(|error| PeerError::Unsendable(format!("{url}: {error}")))?;
        let way = match parsed.scheme() {
            "https" => &self.secure,
            "http" => &self.plain,
            _ => return Err(PeerError::Unsendable(format!("{url} is neither https:// nor http://"))),
        };
        let gateway = parsed.authority().to_owned();
        if !way.leads_to(&parsed) {
            let problem = "the address may not be connected to (see push.allowed_private_ranges)";
            return Err(PeerError::Unreachable { server: gateway, problem: problem.to_owned() });
        }
        let slot = self.slots.take(&gateway).await;
        way.post(parsed, body, gateway, limits, slot).await
    }
}

impl Way {
    /// Whether a URL may be called, as far as it can be told without looking its host up.
    fn leads_to(&self, url: &Url) -> bool {
        let literal = url.host_str().and_then(literal);
        literal.is_none_or(|address| self.guard.permits(address))
    }

    async fn post<H: Send + 'static>(
        &self,
        url: Url,
        body: Bytes,
        gateway: String,
        limits: Limits,
        held: H,
    ) -> Result<http::Response<Body>, PeerError> {
        let deadline = tokio::time::sleep(limits.timeout).deadline();
        let sending = self.client.post(url).header(CONTENT_TYPE, "application/json").body(body).send();
        let answer = tokio::time::timeout_at(deadline, sending).await;
        let answer = answer.map_err(|_| PeerError::Timeout(gateway.clone()))?;
        let answer = answer.map_err(|error| trouble(&gateway, &error))?;
        bounded(answer, &gateway, limits.max_bytes, deadline, held)
    }
}
