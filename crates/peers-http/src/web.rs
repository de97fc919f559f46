//! Places on the Web that strangers name: files of delegation, media that lies elsewhere.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use parvis_peers::{Body, Limits, PeerError};
use reqwest::{
    Client, ClientBuilder, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::{Attempt, Policy},
};
use rustls::ClientConfig;

use crate::{
    address_guard::AddressGuard,
    answer::{bounded, trouble},
    locate::Locator,
    route::literal,
};

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 5;
/// How long an idle connection is kept, and how many to one place: other servers close theirs after a minute or so.
const KEEP_IDLE: Duration = Duration::from_secs(50);
const KEEP_IDLE_PER_PLACE: usize = 4;

/// Fetches from the Web. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Web {
    client: Client,
    guard: AddressGuard,
}

impl Web {
    pub(crate) fn new(
        locator: &Locator,
        tls: ClientConfig,
        connect_timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        let guard = locator.guard().clone();
        let resolver = ToAddresses { locator: locator.clone(), port: locator.ports().https };
        let client = client(tls, resolver, redirects(guard.clone()), connect_timeout)?;
        Ok(Self { client, guard })
    }

    /// The answer of whatever status to a `GET`, after redirects.
    pub(crate) async fn get(&self, url: &str, limits: Limits) -> Result<http::Response<Body>, PeerError> {
        let url = guarded(url, &self.guard)?;
        let server = url.host_str().unwrap_or_default().to_owned();
        let sleep = tokio::time::sleep(limits.timeout);
        let deadline = sleep.deadline();
        let answer = tokio::time::timeout_at(deadline, self.client.get(url).send()).await;
        let answer = answer.map_err(|_| PeerError::Timeout(server.clone()))?;
        let answer = answer.map_err(|error| trouble(&server, &error))?;
        bounded(answer, &server, limits.max_bytes, deadline, ())
    }
}

/// A client that connects only where it may, over TLS, with HTTP/1.1: so a slow answer stops no other one, and
/// `Host` is what is set.
pub(crate) fn client(
    tls: ClientConfig,
    resolver: impl Resolve + 'static,
    redirects: Policy,
    connect_timeout: Duration,
) -> Result<Client, reqwest::Error> {
    builder(tls, resolver, redirects, connect_timeout).https_only(true).build()
}

/// As [`client`], also without TLS.
pub(crate) fn open_client(
    tls: ClientConfig,
    resolver: impl Resolve + 'static,
    redirects: Policy,
    connect_timeout: Duration,
) -> Result<Client, reqwest::Error> {
    builder(tls, resolver, redirects, connect_timeout).build()
}

/// What all clients have in common.
pub(crate) fn builder(
    tls: ClientConfig,
    resolver: impl Resolve + 'static,
    redirects: Policy,
    connect_timeout: Duration,
) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Arc::new(resolver))
        .redirect(redirects)
        .referer(false)
        .no_proxy()
        .http1_only()
        .user_agent(concat!("Parvis/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect_timeout)
        .pool_idle_timeout(KEEP_IDLE)
        .pool_max_idle_per_host(KEEP_IDLE_PER_PLACE)
}

/// A URL whose host, where it is an address, may be connected to. Addresses in URLs are never looked up, so they
/// must be checked here; and a URL takes more for an address than a server name does: `127.1`, `0x7f000001`.
pub(crate) fn guarded(text: &str, guard: &AddressGuard) -> Result<Url, PeerError> {
    let url = Url::parse(text).map_err(|error| PeerError::Unsendable(format!("{text}: {error}")))?;
    if url.scheme() != "https" {
        return Err(PeerError::Unsendable(format!("{text} does not begin with https://")));
    }
    if leads_inside(&url, guard) {
        let server = url.host_str().unwrap_or_default().to_owned();
        let problem = "the address is not on the public Internet (see federation.allowed_private_ranges)";
        return Err(PeerError::Unreachable { server, problem: problem.to_owned() });
    }
    Ok(url)
}

/// Whether a URL's host is an address that may not be connected to.
pub(crate) fn leads_inside(url: &Url, guard: &AddressGuard) -> bool {
    url.host_str().and_then(literal).is_some_and(|address| !guard.permits(address))
}

fn redirects(guard: AddressGuard) -> Policy {
    Policy::custom(move |attempt: Attempt<'_>| {
        if attempt.previous().len() > MOST_REDIRECTS {
            attempt.error("there are too many redirects")
        } else if attempt.url().scheme() != "https" {
            attempt.error("a redirect leads away from https")
        } else if leads_inside(attempt.url(), &guard) {
            attempt.error("a redirect leads to an address that is not on the public Internet")
        } else {
            attempt.follow()
        }
    })
}

/// Looks hosts up whose port stands in the URL, or is this one; 0 is the scheme's.
#[derive(Debug)]
pub(crate) struct ToAddresses {
    pub(crate) locator: Locator,
    pub(crate) port: u16,
}

impl Resolve for ToAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let (locator, port) = (self.locator.clone(), self.port);
        Box::pin(async move {
            let addresses = locator.addresses(name.as_str()).await?;
            let sockets = addresses.into_iter().map(move |address| SocketAddr::new(address, port));
            Ok(Box::new(sockets) as Addrs)
        })
    }
}

/// Looks hosts up whose port is found with the address.
#[derive(Debug)]
pub(crate) struct ToServices(pub(crate) Locator);

impl Resolve for ToServices {
    fn resolve(&self, name: Name) -> Resolving {
        let locator = self.0.clone();
        Box::pin(async move { Ok(Box::new(locator.sockets(name.as_str()).await?.into_iter()) as Addrs) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_are_addresses_in_disguise_are_seen_through() {
        let guard = AddressGuard::default();
        for inside in [
            "https://127.0.0.1/",
            "https://127.1:8448/",
            "https://2130706433/",
            "https://0x7f.0.0.1/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://10.0.0.1./",
        ] {
            assert!(matches!(guarded(inside, &guard), Err(PeerError::Unreachable { .. })), "{inside}");
        }
        for outside in ["https://example.org/", "https://1.1.1.1/", "https://[2606:4700::1111]:8448/"] {
            assert!(guarded(outside, &guard).is_ok(), "{outside}");
        }
        for not_tls in ["http://example.org/", "file:///etc/passwd", "example.org"] {
            assert!(matches!(guarded(not_tls, &guard), Err(PeerError::Unsendable(_))), "{not_tls}");
        }
    }
}
