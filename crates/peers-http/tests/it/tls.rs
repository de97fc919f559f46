//! An authority of the test's own, servers with its certificates, and name servers that answer as told.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use parvis_peers_http::{Dns, DnsError, Service};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// Who signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// The authority's certificate in a file.
    pub(crate) fn file(&self, directory: &tempfile::TempDir) -> PathBuf {
        let file = directory.path().join("authority.pem");
        std::fs::write(&file, &self.pem).unwrap();
        file
    }

    fn certificate_for(&self, names: &[&str]) -> ServerConfig {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }
}

/// A request as a server saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The name that the client asked for at the TLS level.
    pub(crate) tls_name: Option<String>,
    pub(crate) host: String,
    pub(crate) target: String,
}

/// An answer, as it goes over the wire after the status line's `HTTP/1.1 `.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
}

/// A server that answers every request alike, and ends when this is dropped.
pub(crate) struct TlsServer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<Mutex<String>>,
    task: JoinHandle<()>,
}

impl TlsServer {
    /// A server at a free port, with a certificate for these names.
    pub(crate) async fn start(authority: &Authority, names: &[&str], answer: String) -> Self {
        Self::start_at("127.0.0.1:0", authority, names, answer).await
    }

    pub(crate) async fn start_at(at: &str, authority: &Authority, names: &[&str], answer: String) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(authority.certificate_for(names)));
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let answer = Arc::new(Mutex::new(answer));
        let (notes, answers) = (Arc::clone(&seen), Arc::clone(&answer));
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, notes) = (acceptor.clone(), Arc::clone(&notes));
                let answer = answers.lock().unwrap().clone();
                tokio::spawn(async move { serve(socket, acceptor, &notes, &answer).await });
            }
        });
        Self { address, seen, answer, task }
    }

    /// Answers otherwise from now on.
    pub(crate) fn answer_with(&self, answer: String) {
        *self.answer.lock().unwrap() = answer;
    }

    /// The requests since the last time.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    socket: TcpStream,
    acceptor: TlsAcceptor,
    seen: &Mutex<Vec<Seen>>,
    answer: &str,
) -> Option<()> {
    let mut stream = acceptor.accept(socket).await.ok()?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < 10_000 {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
    let target = head.split(' ').nth(1).unwrap().to_owned();
    let tls_name = stream.get_ref().1.server_name().map(str::to_owned);
    seen.lock().unwrap().push(Seen { tls_name, host, target });
    stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await.ok()?;
    // An answer that is shorter than it says is never finished.
    if answer.contains("content-length: 999") {
        std::future::pending::<()>().await;
    }
    stream.shutdown().await.ok()
}

/// A name server that knows what a test tells it.
#[derive(Debug, Default)]
pub(crate) struct TestDns {
    addresses: Mutex<HashMap<String, Vec<IpAddr>>>,
    services: Mutex<HashMap<String, Vec<Service>>>,
}

impl TestDns {
    pub(crate) fn host(&self, name: &str, address: &str) {
        let mut addresses = self.addresses.lock().unwrap();
        addresses.entry(name.to_owned()).or_default().push(address.parse().unwrap());
    }

    pub(crate) fn service(&self, name: &str, host: &str, port: u16) {
        let service = Service { host: host.to_owned(), port, priority: 10, weight: 1 };
        self.services.lock().unwrap().entry(name.to_owned()).or_default().push(service);
    }
}

#[async_trait]
impl Dns for TestDns {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        if host.starts_with("broken.") {
            return Err(DnsError("the name server is broken".to_owned()));
        }
        Ok(self.addresses.lock().unwrap().get(host).cloned().unwrap_or_default())
    }

    async fn services(&self, name: &str) -> Result<Vec<Service>, DnsError> {
        if name.contains(".refuses-srv.") {
            return Err(DnsError("such questions are refused".to_owned()));
        }
        Ok(self.services.lock().unwrap().get(name).cloned().unwrap_or_default())
    }
}
