//! The real network: each exchange goes to wherever discovery says, over TLS.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::HOST;
use parvis_ambient::{Ambient, Clock, Timestamp};
use parvis_peers::{Body, Limits, Page, PageWish, PeerError, Transport};
use reqwest::{Client, Url, redirect::Policy};
use ruma::ServerName;
use rustls::ClientConfig;
use tokio::time::Instant;

use crate::{
    address_guard::{AddressGuard, AddressRange},
    answer::{bounded, trouble},
    dns::Dns,
    gateways::Gateways,
    locate::{Locator, Ports},
    pages::Pages,
    route::{Place, Route, may_be_delegated},
    services::Services,
    slots::Slots,
    trust::TrustRoots,
    web::{ToAddresses, ToServices, Web, client, guarded},
    well_known::WellKnown,
};

/// How many exchanges run at a time, in all and with one server.
const MOST_EXCHANGES: usize = 512;
const MOST_EXCHANGES_PER_PLACE: usize = 16;

/// How the network is used.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Where may be connected to.
    pub guard: AddressGuard,
    /// Where may be connected to for pages that users name.
    pub pages_guard: AddressGuard,
    /// Where push gateways may be besides the public Internet; there they may do without TLS.
    pub gateway_ranges: Vec<AddressRange>,
    /// The usual ports.
    pub ports: Ports,
    /// Whose certificates are believed.
    pub roots: TrustRoots,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
}

/// The network cannot be used at all.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up: {0}")]
pub struct HttpError(String);

/// Carries requests to other homeservers over HTTP and TLS.
pub struct HttpTransport {
    pub(crate) locator: Locator,
    pub(crate) well_known: WellKnown,
    pub(crate) tls: Arc<ClientConfig>,
    clock: Arc<dyn Clock>,
    web: Web,
    pages: Pages,
    /// For URLs whose host is an address, or whose port is to be taken at its word.
    by_port: Client,
    /// For URLs without a port, which is found with the address.
    by_service: Client,
    slots: Slots,
    services: Services,
    gateways: Gateways,
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HttpTransport")
    }
}

impl HttpTransport {
    /// The network, as seen through these name servers.
    ///
    /// # Errors
    /// [`HttpError`] where TLS cannot be set up.
    pub fn new(settings: &HttpSettings, dns: Arc<dyn Dns>, ambient: &Ambient) -> Result<Self, HttpError> {
        let dns_of_gateways = Arc::clone(&dns);
        let locator = Locator::new(dns, settings.guard.clone(), settings.ports, Arc::clone(&ambient.chance));
        let tls = settings.roots.client_config().map_err(|error| HttpError(error.to_string()))?;
        let timeout = settings.connect_timeout;
        let unusable = |error: reqwest::Error| HttpError(error.to_string());
        let to_addresses = ToAddresses { locator: locator.clone(), port: 0 };
        let by_port = client(tls.clone(), to_addresses, Policy::none(), timeout).map_err(unusable)?;
        let to_services = ToServices(locator.clone());
        let by_service = client(tls.clone(), to_services, Policy::none(), timeout).map_err(unusable)?;
        let of_gateways = (settings.ports, timeout);
        let chance = Arc::clone(&ambient.chance);
        let gateways = Gateways::new(&settings.gateway_ranges, of_gateways, &dns_of_gateways, &tls, chance);
        let gateways = gateways.map_err(unusable)?;
        let web = Web::new(&locator, tls.clone(), timeout).map_err(unusable)?;
        let pages = locator.guarded_by(settings.pages_guard.clone());
        let pages = Pages::new(&pages, tls.clone(), timeout).map_err(unusable)?;
        let clock = Arc::clone(&ambient.clock);
        let well_known = WellKnown::new(web.clone(), Arc::clone(&clock));
        let services = Services::new(tls.clone(), timeout).map_err(unusable)?;
        let tls = Arc::new(tls);
        Ok(Self {
            locator,
            well_known,
            tls,
            clock,
            web,
            pages,
            by_port,
            by_service,
            slots: Slots::new(MOST_EXCHANGES, MOST_EXCHANGES_PER_PLACE),
            services,
            gateways,
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The way to a server.
    async fn route(&self, server: &ServerName) -> Route {
        let delegated = match may_be_delegated(server) {
            true => self.well_known.delegation(server.host()).await,
            false => None,
        };
        Route::to(delegated.as_deref().unwrap_or(server), self.locator.ports())
    }

    async fn exchange_until(
        &self,
        server: &ServerName,
        request: http::Request<Bytes>,
        max_bytes: usize,
        deadline: Instant,
    ) -> Result<http::Response<Body>, PeerError> {
        let route = self.route(server).await;
        let url = request_url(&route, request.uri(), self.locator.guard())?;
        let slot = self.slots.take(&route.base_url()).await;
        let client = match route.place {
            Place::Service { .. } => &self.by_service,
            Place::Address(_) | Place::Port { .. } => &self.by_port,
        };
        let (head, body) = request.into_parts();
        let sent = client
            .request(head.method, url)
            .headers(head.headers)
            .header(HOST, &route.host_header)
            .body(body)
            .send()
            .await;
        let answer = sent.map_err(|error| trouble(server.as_str(), &error))?;
        bounded(answer, server.as_str(), max_bytes, deadline, slot)
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn exchange(
        &self,
        destination: &ServerName,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        let deadline = tokio::time::sleep(limits.timeout).deadline();
        let exchange = self.exchange_until(destination, request, limits.max_bytes, deadline);
        let outcome = tokio::time::timeout_at(deadline, exchange).await;
        outcome.unwrap_or_else(|_| Err(PeerError::Timeout(destination.to_string())))
    }

    async fn fetch(&self, url: &str, limits: Limits) -> Result<http::Response<Body>, PeerError> {
        self.web.get(url, limits).await
    }

    async fn page(&self, url: &str, wish: &PageWish<'_>, limits: Limits) -> Result<Page, PeerError> {
        self.pages.get(url, wish, limits).await
    }

    async fn call_service(
        &self,
        base_url: &str,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        self.services.call(base_url, request, limits).await
    }

    async fn notify(
        &self,
        url: &str,
        body: Bytes,
        limits: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        self.gateways.notify(url, body, limits).await
    }
}

/// The URL of a request. Path and query are what was signed, to the letter, or the request is not sent.
fn request_url(route: &Route, uri: &http::Uri, guard: &AddressGuard) -> Result<Url, PeerError> {
    let path_and_query = uri.path_and_query().map_or("/", |text| text.as_str());
    let url = guarded(&format!("{}{path_and_query}", route.base_url()), guard)?;
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    if format!("{}{query}", url.path()) != path_and_query {
        return Err(PeerError::Unsendable(format!("{path_and_query:?} would change on its way")));
    }
    Ok(url)
}
