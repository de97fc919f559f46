//! Server discovery, walked through step by step for somebody who wants to know why a server is not reached.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use parvis_peers::{Limits, PeerError, Transport};
use ruma::ServerName;
use rustls::pki_types;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{
    certificate::not_after,
    http_transport::HttpTransport,
    key_document::KeyDocument,
    route::{Place, Route, may_be_delegated},
};

const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(20), max_bytes: 64 << 10, despite_back_off: true };
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How good a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Neither good nor bad.
    Note,
    /// Not as it should be.
    Bad,
}

/// What one step has shown, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How good it is.
    pub verdict: Verdict,
    /// What was tried and found.
    pub text: String,
}

/// Tells findings, and remembers whether one was bad.
struct Report<'a> {
    tell: &'a mut dyn FnMut(Finding),
    all_good: bool,
}

impl Report<'_> {
    fn good(&mut self, text: String) {
        (self.tell)(Finding { verdict: Verdict::Good, text });
    }

    fn note(&mut self, text: String) {
        (self.tell)(Finding { verdict: Verdict::Note, text });
    }

    fn bad(&mut self, text: String) {
        self.all_good = false;
        (self.tell)(Finding { verdict: Verdict::Bad, text });
    }
}

impl HttpTransport {
    /// Looks for a server as any request to it would, without what is remembered, and tells what it finds. For
    /// this server itself, `own_key` is the public key that is to be found there. Gives whether all is well.
    pub async fn examine(
        &self,
        server: &ServerName,
        own_key: Option<&str>,
        tell: &mut dyn FnMut(Finding),
    ) -> bool {
        let mut report = Report { tell, all_good: true };
        let route = self.examine_delegation(server, &mut report).await;
        let sockets = self.examine_place(&route, &mut report).await;
        let mut reached = false;
        for socket in sockets {
            reached |= self.examine_socket(socket, &route, &mut report).await;
        }
        if reached {
            self.examine_version(server, &mut report).await;
            self.examine_keys(server, own_key, &mut report).await;
        } else {
            report.bad(format!("{server} cannot be reached at any address"));
        }
        report.all_good
    }

    async fn examine_delegation(&self, server: &ServerName, report: &mut Report<'_>) -> Route {
        let ports = self.locator.ports();
        if !may_be_delegated(server) {
            report.note(format!("{server} is an address or names a port: nothing else is asked for"));
            return Route::to(server, ports);
        }
        let url = format!("https://{}/.well-known/matrix/server", server.host());
        match self.well_known.ask(server.host()).await {
            Ok(found) => {
                let minutes = found.lifetime.as_secs() / 60;
                report.good(format!("{url} delegates to {}, for {minutes} minutes", found.to));
                Route::to(&found.to, ports)
            }
            Err(problem) => {
                report.note(format!("{url} delegates to nobody ({problem}); going on with the name itself"));
                Route::to(server, ports)
            }
        }
    }

    async fn examine_place(&self, route: &Route, report: &mut Report<'_>) -> Vec<SocketAddr> {
        match &route.place {
            Place::Address(socket) if self.locator.guard().permits(socket.ip()) => vec![*socket],
            Place::Address(socket) => {
                let reason = "is not on the public Internet (see federation.allowed_private_ranges)";
                report.bad(format!("{} {reason}", socket.ip()));
                Vec::new()
            }
            Place::Port { host, port } => self.examine_host(host, *port, report).await,
            Place::Service { host } => self.examine_service(host, report).await,
        }
    }

    async fn examine_service(&self, host: &str, report: &mut Report<'_>) -> Vec<SocketAddr> {
        let records = match self.locator.records(host).await {
            Ok(Some(records)) => records,
            Ok(None) => {
                let port = self.locator.ports().federation;
                report.note(format!("{host} has no SRV records: the port is {port}"));
                return self.examine_host(host, port, report).await;
            }
            Err(error) => {
                report.bad(error.to_string());
                return Vec::new();
            }
        };
        let mut sockets = Vec::new();
        for service in &records.services {
            report
                .good(format!("the SRV record {} leads to {}:{}", records.name, service.host, service.port));
            sockets.extend(self.examine_host(&service.host, service.port, report).await);
        }
        sockets
    }

    async fn examine_host(&self, host: &str, port: u16, report: &mut Report<'_>) -> Vec<SocketAddr> {
        match self.locator.addresses(host).await {
            Ok(addresses) => {
                let list: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
                report.good(format!("{host} is at {}", list.join(", ")));
                addresses.into_iter().map(|address| (address, port).into()).collect()
            }
            Err(error) => {
                report.bad(error.to_string());
                Vec::new()
            }
        }
    }

    /// Connects, speaks TLS, and looks at the certificate.
    async fn examine_socket(&self, socket: SocketAddr, route: &Route, report: &mut Report<'_>) -> bool {
        let name = match &route.place {
            Place::Address(socket) => socket.ip().to_string(),
            Place::Port { host, .. } | Place::Service { host } => host.clone(),
        };
        let outcome = timeout(CONNECT_TIMEOUT, self.certificate_at(socket, &name)).await;
        match outcome.unwrap_or_else(|_| Err("no answer within 10 seconds".to_owned())) {
            Ok(until) => {
                report.good(format!("{socket} has a good certificate for {name}, until {until}"));
                true
            }
            Err(problem) => {
                report.bad(format!("{socket} as {name}: {problem}"));
                false
            }
        }
    }

    async fn certificate_at(&self, socket: SocketAddr, name: &str) -> Result<String, String> {
        let server_name =
            pki_types::ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?;
        let stream = TcpStream::connect(socket).await.map_err(|error| format!("no connection: {error}"))?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream =
            connector.connect(server_name, stream).await.map_err(|error| format!("no TLS: {error}"))?;
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let until = certificates.first().and_then(|certificate| not_after(certificate));
        Ok(until.unwrap_or_else(|| "an unknown day".to_owned()))
    }

    async fn examine_version(&self, server: &ServerName, report: &mut Report<'_>) {
        match self.get(server, "/_matrix/federation/v1/version").await {
            Ok(body) => {
                let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
                let field = |name: &str| json["server"][name].as_str().unwrap_or("?").to_owned();
                report.good(format!("{server} runs {} {}", field("name"), field("version")));
            }
            Err(error) => report.bad(format!("/_matrix/federation/v1/version: {error}")),
        }
    }

    async fn examine_keys(&self, server: &ServerName, own_key: Option<&str>, report: &mut Report<'_>) {
        let body = match self.get(server, "/_matrix/key/v2/server").await {
            Ok(body) => body,
            Err(error) => return report.bad(format!("/_matrix/key/v2/server: {error}")),
        };
        let document = match KeyDocument::read(&body) {
            Ok(document) => document,
            Err(problem) => return report.bad(format!("the keys that {server} publishes: {problem}")),
        };
        if document.server != server {
            return report.bad(format!("the keys there are those of {}, not of {server}", document.server));
        }
        let in_use: Vec<_> = document.keys.iter().filter(|(_, key)| key.retired_ts.is_none()).collect();
        let ids: Vec<_> = in_use.iter().map(|(key_id, _)| key_id.as_str()).collect();
        let (ids, until) = (ids.join(", "), date(document.valid_until_ts));
        if document.valid_until_ts < self.now().millis() {
            report.bad(format!("{server} signs with {ids}, whose time was over on {until}"));
        } else {
            report.good(format!("{server} signs with {ids}, to be asked for again by {until}"));
        }
        match own_key {
            Some(own) if in_use.iter().any(|(_, key)| key.public_key == own) => {
                report.good("the key is this server's own: other servers reach this server".to_owned());
            }
            Some(_) => {
                let text = "the key is not this server's own: another server answers by this one's name";
                report.bad(text.to_owned());
            }
            None => {}
        }
    }

    async fn get(&self, server: &ServerName, path: &'static str) -> Result<Bytes, PeerError> {
        let mut request = http::Request::new(Bytes::new());
        *request.uri_mut() = http::Uri::from_static(path);
        let answer = self.exchange(server, request, LIMITS).await?;
        let (head, body) = answer.into_parts();
        if head.status != http::StatusCode::OK {
            let problem = format!("answered {}", head.status);
            return Err(PeerError::Malformed { server: server.to_string(), problem });
        }
        body.collect(server, LIMITS.max_bytes).await
    }
}

/// A time in milliseconds since the Unix epoch, for people.
fn date(millis: i64) -> String {
    let since_epoch = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    match SystemTime::UNIX_EPOCH.checked_add(since_epoch) {
        // The year 9999 is the last that such dates have.
        Some(time) if since_epoch.as_secs() < 253_402_300_800 => httpdate::fmt_http_date(time),
        _ => "the end of time".to_owned(),
    }
}
