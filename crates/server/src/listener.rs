//! A socket, and a router that is served on it: HTTP/1.1 and HTTP/2, with or without TLS.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use axum::Router;
use axum_server::{
    Handle,
    accept::NoDelayAcceptor,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use hyper_util::rt::TokioTimer;
use tower_http::timeout::RequestBodyTimeoutLayer;

/// How long a client may take for the head of a request, and may be silent between two: longer than proxies
/// keep their connections, so that it is they who close them.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a client may be silent in the middle of a body.
const BODY_SILENCE_TIMEOUT: Duration = Duration::from_secs(30);

/// A bound socket.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    /// Where it listens; the port is the real one.
    pub(crate) address: SocketAddr,
}

impl Listener {
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Serves until `handle` says that it is over.
    pub(crate) async fn serve(
        self,
        router: Router,
        tls: Option<RustlsConfig>,
        handle: Handle<SocketAddr>,
    ) -> io::Result<()> {
        let router = router.layer(RequestBodyTimeoutLayer::new(BODY_SILENCE_TIMEOUT));
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let mut server = axum_server::from_tcp(self.socket)?.handle(handle);
        server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
        server.http_builder().http2().timer(TokioTimer::new());
        match tls {
            None => server.acceptor(NoDelayAcceptor::new()).serve(service).await,
            Some(tls) => {
                let acceptor = RustlsAcceptor::new(tls).acceptor(NoDelayAcceptor::new());
                server.acceptor(acceptor).serve(service).await
            }
        }
    }
}
