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
use http::StatusCode;
use hyper_util::rt::TokioTimer;
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutLayer};

use crate::connections::Places;

/// How long a client may take for the head of a request, and may be silent between two: longer than proxies
/// keep their connections, so that it is they who close them.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);
/// The largest head of a request: filters may be in it, in full.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// How long a request may take in all, the sending of a large file over a slow line included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60 * 60);
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
        places: &Places,
        handle: Handle<SocketAddr>,
    ) -> io::Result<()> {
        let router = router
            .layer(RequestBodyTimeoutLayer::new(BODY_SILENCE_TIMEOUT))
            .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT));
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let mut server = axum_server::from_tcp(self.socket)?.handle(handle);
        let mut http1 = server.http_builder().http1();
        http1.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD_BYTES);
        let mut http2 = server.http_builder().http2();
        http2.timer(TokioTimer::new()).max_header_list_size(MAX_HEAD_BYTES as u32);
        http2.keep_alive_interval(HEAD_TIMEOUT);
        match tls {
            None => server.acceptor(places.before(NoDelayAcceptor::new())).serve(service).await,
            Some(tls) => {
                let acceptor = RustlsAcceptor::new(tls).acceptor(NoDelayAcceptor::new());
                server.acceptor(places.before(acceptor)).serve(service).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::Notify,
    };

    use super::*;

    #[tokio::test]
    async fn running_request_is_finished_after_the_listener_is_told_to_stop() {
        let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let slow = {
            let (entered, go_on) = (Arc::clone(&entered), Arc::clone(&go_on));
            move || async move {
                entered.notify_one();
                go_on.notified().await;
                "done"
            }
        };
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (address, handle) = (listener.address, Handle::new());
        let router = Router::new().route("/", get(slow));
        let serving = tokio::spawn({
            let handle = handle.clone();
            async move { listener.serve(router, None, &Places::new(1), handle).await }
        });

        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        entered.notified().await;
        handle.graceful_shutdown(Some(Duration::from_secs(10)));
        go_on.notify_one();

        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("done"), "{answer}");
        serving.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn whoever_finds_no_place_is_turned_away_until_somebody_leaves() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (address, handle) = (listener.address, Handle::new());
        let router = Router::new().route("/", get(async || "in"));
        let serving = tokio::spawn({
            let handle = handle.clone();
            async move { listener.serve(router, None, &Places::new(2), handle).await }
        });
        let ask = async |stream: &mut TcpStream| {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.ok()?;
            let mut answer = [0; 512];
            let read = stream.read(&mut answer).await.ok().filter(|read| *read > 0)?;
            Some(String::from_utf8_lossy(&answer[..read]).ends_with("in"))
        };
        let mut first = TcpStream::connect(address).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        assert_eq!((ask(&mut first).await, ask(&mut second).await), (Some(true), Some(true)));
        let mut third = TcpStream::connect(address).await.unwrap();
        assert_eq!(ask(&mut third).await, None, "the connection is closed without an answer");
        assert_eq!(ask(&mut second).await, Some(true), "who is in stays in");
        drop(first);
        let mut came_in = None;
        for _ in 0..100 {
            let mut fourth = TcpStream::connect(address).await.unwrap();
            came_in = ask(&mut fourth).await;
            if came_in.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(came_in, Some(true));
        handle.shutdown();
        serving.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn head_beyond_all_measure_is_refused() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (address, handle) = (listener.address, Handle::new());
        let router = Router::new().route("/", get(async || "in"));
        let serving = tokio::spawn({
            let handle = handle.clone();
            async move { listener.serve(router, None, &Places::new(2), handle).await }
        });
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET /?{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(2 * MAX_HEAD_BYTES));
        // The server may close before it has read all of it.
        let _ = stream.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        handle.shutdown();
        serving.await.unwrap().unwrap();
    }
}
