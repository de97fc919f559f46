//! Push gateways: which are called, and over what.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use parvis_peers::{Limits, PeerError, Transport};
use parvis_peers_http::{AddressGuard, HttpSettings, HttpTransport, Ports, TrustRoots};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use crate::{
    tls::{Authority, TestDns, TlsServer, answer},
    world,
};

const PATH: &str = "/_matrix/push/v1/notify";

struct World {
    secure: TlsServer,
    plain: u16,
    task: JoinHandle<()>,
    transport: HttpTransport,
}

impl Drop for World {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl World {
    async fn new(ranges: &[&str]) -> Self {
        let authority = Authority::new();
        let secure = TlsServer::start(&authority, &["push.test"], answer(200, &[], "{}")).await;
        let dns = Arc::new(TestDns::default());
        dns.host("push.test", "127.0.0.1");
        let directory = tempfile::tempdir().unwrap();
        let settings = HttpSettings {
            guard: AddressGuard::default(),
            pages_guard: AddressGuard::default(),
            gateway_ranges: ranges.iter().map(|range| range.parse().unwrap()).collect(),
            ports: Ports::default(),
            roots: TrustRoots::none().with_files(&[authority.file(&directory)]).unwrap(),
            connect_timeout: Duration::from_secs(5),
        };
        let transport = HttpTransport::new(&settings, dns, &world::ambient().0).unwrap();
        let (plain, task) = plain_server().await;
        Self { secure, plain, task, transport }
    }

    async fn notify(&self, url: String) -> Result<(u16, Bytes), PeerError> {
        let answer = self.transport.notify(&url, Bytes::from_static(b"{}"), Limits::PUSH).await?;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect("the gateway", 1_000).await?))
    }

    fn secure_url(&self) -> String {
        format!("https://push.test:{}{PATH}", self.secure.port())
    }

    fn plain_url(&self, host: &str) -> String {
        format!("http://{host}:{}{PATH}", self.plain)
    }
}

/// A server that repeats the first line of each request.
async fn plain_server() -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n{}") {
                head.push(socket.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let reply = answer(200, &[], head.lines().next().unwrap());
            socket.write_all(format!("HTTP/1.1 {reply}").as_bytes()).await.unwrap();
        }
    });
    (port, task)
}

#[tokio::test]
async fn gateways_in_ones_own_network_are_called_where_that_is_allowed_also_without_tls() {
    let world = World::new(&["127.0.0.0/8"]).await;
    assert_eq!(world.notify(world.secure_url()).await.unwrap().0, 200);
    assert_eq!(world.secure.seen()[0].target, PATH);
    for host in ["127.0.0.1", "push.test"] {
        let (status, line) = world.notify(world.plain_url(host)).await.unwrap();
        assert_eq!((status, &*line), (200, format!("POST {PATH} HTTP/1.1").as_bytes()), "{host}");
    }
}

#[tokio::test]
async fn gateways_elsewhere_are_not_looked_for_in_ones_own_network_nor_called_without_tls() {
    let world = World::new(&[]).await;
    let urls = [
        world.secure_url(),
        world.plain_url("127.0.0.1"),
        world.plain_url("127.1"),
        world.plain_url("push.test"),
        format!("https://127.0.0.1:{}{PATH}", world.secure.port()),
    ];
    for url in urls {
        assert!(matches!(world.notify(url.clone()).await, Err(PeerError::Unreachable { .. })), "{url}");
    }
    for url in [format!("ftp://push.test{PATH}"), "push.test".to_owned()] {
        assert!(matches!(world.notify(url.clone()).await, Err(PeerError::Unsendable(_))), "{url}");
    }
    assert_eq!(world.secure.seen(), []);
}

#[tokio::test]
async fn redirect_of_a_gateway_is_an_answer() {
    let world = World::new(&["127.0.0.0/8"]).await;
    world.secure.answer_with(answer(307, &[("location", "https://elsewhere.test/")], ""));
    assert_eq!(world.notify(world.secure_url()).await.unwrap().0, 307);
}
