//! The process: its homeservers behind its listeners, from start to shutdown.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use axum::{Router, extract::State, middleware, response::IntoResponse, response::Response, routing::get};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use http::{HeaderValue, StatusCode, header};
use parvis_ambient::{Ambient, Clock};
use parvis_peers_http::{Dns, SystemDns, TrustRoots};
use tokio::task::JoinSet;

use crate::{
    client_address,
    config::{CertificateFiles, Config, ProcessConfig},
    connections::{Places, fit_into_open_files},
    homeserver::{Homeserver, StartError},
    hosts::Hosts,
    listener::Listener,
    metrics::{self, Metrics},
    others::network,
    tls,
};

/// How often metrics are folded.
const FOLD_METRICS_EVERY: Duration = Duration::from_secs(5);
/// How often it is looked whether a policy was changed by another process.
const FOLLOW_POLICIES_EVERY: Duration = Duration::from_secs(1);

/// Homeservers that can be reached.
#[derive(Debug)]
pub struct Process {
    homeservers: Arc<Vec<Homeserver>>,
    listening: JoinSet<io::Result<()>>,
    background: JoinSet<()>,
    handle: Handle<SocketAddr>,
    shutdown_grace: Duration,
    /// Where clients are served without TLS.
    pub client_address: Option<SocketAddr>,
    /// Where clients are served with TLS.
    pub tls_address: Option<SocketAddr>,
    /// Where other servers are served besides.
    pub federation_address: Option<SocketAddr>,
    /// Where Prometheus is served.
    pub metrics_address: Option<SocketAddr>,
}

/// Why the process does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A homeserver does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The certificate files cannot be used.
    #[error("cannot serve TLS: {0}")]
    Certificate(io::Error),
    /// Other servers cannot be reached.
    #[error("the network of {server_name} cannot be used: {problem}")]
    Network {
        /// Whose.
        server_name: String,
        /// What is wrong.
        problem: String,
    },
    /// The metrics cannot be set up.
    #[error("cannot collect metrics: {0}")]
    Metrics(String),
}

/// How many connections there may be at the listener for metrics.
const OPERATORS_CONNECTIONS: usize = 100;

/// The sockets and what belongs to them, taken before anything is opened: a mistake there is found at once.
struct Sockets {
    client: Option<Listener>,
    tls: Option<Listener>,
    federation: Option<Listener>,
    certificate: Option<(RustlsConfig, CertificateFiles)>,
    metrics: Option<Listener>,
}

impl Sockets {
    fn take(config: &ProcessConfig) -> Result<Self, ServeError> {
        let certificate = match &config.certificate {
            Some(files) => Some((tls::load(files).map_err(ServeError::Certificate)?, files.clone())),
            None => None,
        };
        Ok(Self {
            client: config.client_address.map(bind).transpose()?,
            tls: config.tls_address.map(bind).transpose()?,
            federation: config.federation_address.map(bind).transpose()?,
            certificate,
            metrics: config.metrics_address.map(bind).transpose()?,
        })
    }
}

fn bind(address: SocketAddr) -> Result<Listener, ServeError> {
    Listener::bind(address).map_err(|source| ServeError::Listen { address, source })
}

impl Process {
    /// Starts the homeservers and listens.
    ///
    /// # Errors
    /// Any [`ServeError`]; nothing runs then.
    pub async fn start(config: Config, ambient: Ambient) -> Result<Self, ServeError> {
        let sockets = Sockets::take(&config.process)?;
        let address = |listener: &Option<Listener>| listener.as_ref().map(|listener| listener.address);
        let dns: Arc<dyn Dns> = Arc::new(SystemDns::new());
        let roots = TrustRoots::system();
        let mut homeservers = Vec::new();
        for organisation in config.organisations {
            let network = network(&organisation, roots.clone(), Arc::clone(&dns), &ambient);
            let network = network.map_err(|problem| ServeError::Network {
                server_name: organisation.server_name.to_string(),
                problem,
            })?;
            homeservers.push(Homeserver::start(organisation, ambient.clone(), Arc::new(network)).await?);
        }
        let mut process = Self {
            homeservers: Arc::new(homeservers),
            listening: JoinSet::new(),
            background: JoinSet::new(),
            handle: Handle::new(),
            shutdown_grace: config.process.shutdown_grace,
            client_address: address(&sockets.client),
            tls_address: address(&sockets.tls),
            federation_address: address(&sockets.federation),
            metrics_address: address(&sockets.metrics),
        };
        process.serve(sockets, &config.process, &ambient.clock)?;
        Ok(process)
    }

    /// The homeservers.
    pub fn homeservers(&self) -> &[Homeserver] {
        &self.homeservers
    }

    fn serve(
        &mut self,
        sockets: Sockets,
        config: &ProcessConfig,
        clock: &Arc<dyn Clock>,
    ) -> Result<(), ServeError> {
        let places = Places::new(fit_into_open_files(config.max_connections));
        // The operator must see what goes on also when all others are turned away.
        let own_places = Places::new(OPERATORS_CONNECTIONS);
        let mut router = self.router(config);
        self.background.spawn(follow_policies(Arc::downgrade(&self.homeservers), Arc::clone(clock)));
        if let Some(listener) = sockets.metrics {
            let metrics = Metrics::new().map_err(|error| ServeError::Metrics(error.to_string()))?;
            router = router.layer(middleware::from_fn_with_state(metrics.clone(), metrics::observe));
            self.background.spawn(fold_for_ever(metrics.clone(), Arc::clone(clock)));
            let router = self.metrics_router(metrics).merge(self.health_router());
            self.listen(listener, router, None, own_places);
        }
        if let Some((certificate, files)) = sockets.certificate {
            self.background.spawn(tls::keep_fresh(certificate.clone(), files, Arc::clone(clock)));
            for listener in sockets.tls.into_iter().chain(sockets.federation) {
                self.listen(listener, router.clone(), Some(certificate.clone()), places.clone());
            }
        }
        if let Some(listener) = sockets.client {
            self.listen(listener, router, None, places);
        }
        Ok(())
    }

    fn listen(&mut self, listener: Listener, router: Router, tls: Option<RustlsConfig>, places: Places) {
        tracing::info!(address = %listener.address, tls = tls.is_some(), "listening");
        let handle = self.handle.clone();
        self.listening.spawn(async move { listener.serve(router, tls, &places, handle).await });
    }

    /// All homeservers behind their host names, and the process's own endpoint.
    fn router(&self, config: &ProcessConfig) -> Router {
        let mut hosts = Hosts::default();
        for homeserver in self.homeservers.iter() {
            hosts.add(&homeserver.config().host_names, &homeserver.router());
        }
        let trusted: Arc<[_]> = config.trusted_proxies.clone().into();
        hosts
            .into_router()
            .layer(middleware::from_fn_with_state(trusted, client_address::find))
            .merge(self.health_router())
    }

    fn metrics_router(&self, metrics: Metrics) -> Router {
        let state = (metrics, Arc::clone(&self.homeservers));
        Router::new().route("/metrics", get(render_metrics)).with_state(state)
    }

    fn health_router(&self) -> Router {
        Router::new().route("/health", get(health)).with_state(Arc::clone(&self.homeservers))
    }

    /// Ends when a listener fails, which none should.
    pub async fn failure(&mut self) -> io::Error {
        match self.listening.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => io::Error::other(error),
            Some(Ok(Ok(()))) | None => io::Error::other("a listener has ended"),
        }
    }

    /// Accepts nothing more, ends what waits, lets running requests finish within the time of grace, and closes
    /// the stores.
    pub async fn stop(mut self) {
        self.background.shutdown().await;
        self.homeservers.iter().for_each(Homeserver::stop);
        self.handle.graceful_shutdown(Some(self.shutdown_grace));
        while self.listening.join_next().await.is_some() {}
        let Some(homeservers) = Arc::into_inner(self.homeservers) else {
            return tracing::warn!("requests are still running; the stores close with the process");
        };
        for homeserver in homeservers {
            homeserver.close().await;
        }
    }
}

/// Takes notice of what the command line has changed of the organisations' policies.
async fn follow_policies(homeservers: Weak<Vec<Homeserver>>, clock: Arc<dyn Clock>) {
    loop {
        clock.sleep(FOLLOW_POLICIES_EVERY).await;
        let Some(homeservers) = homeservers.upgrade() else { return };
        for homeserver in homeservers.iter() {
            if let Err(error) = homeserver.refresh_policy().await {
                let server_name = homeserver.config().server_name.as_str();
                tracing::warn!(server_name, %error, "the policy cannot be read; the one that is known holds");
            }
        }
    }
}

async fn fold_for_ever(metrics: Metrics, clock: Arc<dyn Clock>) {
    loop {
        clock.sleep(FOLD_METRICS_EVERY).await;
        metrics.fold();
    }
}

/// Everything that Prometheus is told.
async fn render_metrics(State((metrics, homeservers)): State<(Metrics, Arc<Vec<Homeserver>>)>) -> Response {
    metrics.note_outbound(homeservers.iter().map(Homeserver::outbound_status));
    metrics.note_search(homeservers.iter().map(Homeserver::search_status));
    metrics.note_push(homeservers.iter().filter_map(Homeserver::push_status));
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, text)], metrics.render()).into_response()
}

/// 200 where every homeserver's database answers.
async fn health(State(homeservers): State<Arc<Vec<Homeserver>>>) -> Response {
    for homeserver in &*homeservers {
        if !homeserver.is_healthy().await {
            return (StatusCode::SERVICE_UNAVAILABLE, "a database does not answer\n").into_response();
        }
    }
    "ok\n".into_response()
}
