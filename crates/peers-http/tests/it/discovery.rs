//! Where requests to a server go, under which name, and whom they then believe.
//! <https://spec.matrix.org/v1.19/server-server-api/#resolving-server-names>

use std::{sync::Arc, time::Duration};

use parvis_ambient::TestClock;
use parvis_peers::{Limits, PeerError, Transport};
use parvis_peers_http::{AddressGuard, HttpSettings, HttpTransport, Ports, TrustRoots};

use crate::{
    tls::{Authority, Seen, TestDns, TlsServer, answer},
    world::{self, PATIENT, get, server},
};

const OK: &str = "{\"ok\":true}";
/// The names of everything that is delegated, and of those to whom.
const WEB: [&str; 3] = ["a.test", "refuses-srv.test", "moved.test"];

/// A web server that may delegate, and two servers: one at the usual port, one at another.
pub(crate) struct World {
    authority: Authority,
    pub(crate) dns: Arc<TestDns>,
    web: TlsServer,
    pub(crate) usual: TlsServer,
    pub(crate) other: TlsServer,
    pub(crate) transport: HttpTransport,
    clock: Arc<TestClock>,
    _directory: tempfile::TempDir,
}

impl World {
    /// A world in which the servers prove that they are `certified`.
    pub(crate) async fn new(certified: &str) -> Self {
        Self::with_guard(certified, &["127.0.0.0/8", "::1"]).await
    }

    async fn with_guard(certified: &str, allowed: &[&str]) -> Self {
        let authority = Authority::new();
        let web = TlsServer::start(&authority, &WEB, answer(404, &[], "")).await;
        let usual = TlsServer::start(&authority, &[certified], answer(200, &[], OK)).await;
        let other = TlsServer::start(&authority, &[certified], answer(200, &[], OK)).await;
        let dns = Arc::new(TestDns::default());
        for host in WEB.into_iter().chain(["b.test", "machine.test"]) {
            dns.host(host, "127.0.0.1");
        }
        let directory = tempfile::tempdir().unwrap();
        let settings = HttpSettings {
            guard: AddressGuard::new(allowed.iter().map(|range| range.parse().unwrap())),
            pages_guard: AddressGuard::new(allowed.iter().map(|range| range.parse().unwrap())),
            gateway_ranges: Vec::new(),
            ports: Ports { https: web.port(), federation: usual.port() },
            roots: TrustRoots::none().with_files(&[authority.file(&directory)]).unwrap(),
            connect_timeout: Duration::from_secs(5),
        };
        let (ambient, clock) = world::ambient();
        let transport = HttpTransport::new(&settings, Arc::clone(&dns) as _, &ambient).unwrap();
        Self { authority, dns, web, usual, other, transport, clock, _directory: directory }
    }

    pub(crate) fn delegate(&self, to: &str) {
        self.web.answer_with(answer(200, &[], &format!("{{\"m.server\":\"{to}\"}}")));
    }

    async fn ask(&self, name: &str) -> Result<u16, PeerError> {
        let answer = self.transport.exchange(&server(name), get("/path?q=1"), PATIENT).await?;
        let status = answer.status().as_u16();
        assert_eq!(answer.into_body().collect(&server(name), 100).await?, OK);
        Ok(status)
    }

    /// Why a server is not reached.
    async fn problem(&self, name: &str) -> String {
        self.ask(name).await.unwrap_err().to_string()
    }
}

fn seen(tls_name: Option<&str>, host: &str) -> Vec<Seen> {
    let (tls_name, target) = (tls_name.map(str::to_owned), "/path?q=1".to_owned());
    vec![Seen { tls_name, host: host.to_owned(), target }]
}

/// What a host says of itself.
#[derive(Clone, Copy)]
struct Says {
    delegation: Option<&'static str>,
    /// Names of SRV records that lead to the machine with the other port.
    services: &'static [&'static str],
}

/// Who is reached: the server at the usual port, or the one at the other.
#[derive(Clone, Copy)]
enum Reached {
    Usual,
    Other,
}

/// Asks a server, whose name may hold `PORT` for the other port, and checks who was reached, as whom, with a
/// certificate that only the right name satisfies.
async fn check(name: &str, says: Says, certified: &str, reached: Reached, host: &str) {
    let world = World::new(certified).await;
    let port = world.other.port();
    let with_port = |text: &str| text.replace("PORT", &port.to_string());
    if let Some(to) = says.delegation {
        world.delegate(&with_port(to));
    }
    for record in says.services {
        world.dns.service(record, "machine.test", port);
    }
    let name = with_port(name);
    assert_eq!(world.ask(&name).await.unwrap(), 200, "{name}");
    let tls_name = (!certified.starts_with("127.")).then_some(certified);
    let expected = seen(tls_name, &with_port(host));
    let (usual, other) = (world.usual.seen(), world.other.seen());
    match reached {
        Reached::Usual => assert_eq!((usual, other), (expected, Vec::new()), "{name}"),
        Reached::Other => assert_eq!((usual, other), (Vec::new(), expected), "{name}"),
    }
    let web = world.web.seen();
    let bare = !name.contains(':') && !name.starts_with("127.");
    assert_eq!(web.len(), usize::from(bare), "only bare names are delegated");
    if let [asked] = &web[..] {
        let expected = ("/.well-known/matrix/server", name.as_str(), Some(name.as_str()));
        assert_eq!((asked.target.as_str(), asked.host.as_str(), asked.tls_name.as_deref()), expected);
    }
}

const NOTHING: Says = Says { delegation: None, services: &[] };

#[tokio::test]
async fn step_1_addresses_are_taken_at_their_word() {
    check("127.0.0.1:PORT", NOTHING, "127.0.0.1", Reached::Other, "127.0.0.1:PORT").await;
    check("127.0.0.1", NOTHING, "127.0.0.1", Reached::Usual, "127.0.0.1").await;
}

#[tokio::test]
async fn step_1_addresses_of_ipv6_keep_their_brackets() {
    let world = World::new("unused.test").await;
    let body = answer(200, &[], OK);
    let v6 = TlsServer::start_at("[::1]:0", &world.authority, &["::1"], body).await;
    let name = format!("[::1]:{}", v6.port());
    assert_eq!(world.ask(&name).await.unwrap(), 200);
    assert_eq!(v6.seen(), seen(None, &name));
}

#[tokio::test]
async fn step_2_port_in_the_name_is_used_without_asking_further() {
    let says = Says { delegation: Some("b.test"), services: &["_matrix-fed._tcp.a.test"] };
    check("a.test:PORT", says, "a.test", Reached::Other, "a.test:PORT").await;
}

#[tokio::test]
async fn step_3_1_delegation_to_an_address() {
    let to = |to| Says { delegation: Some(to), services: &["_matrix-fed._tcp.a.test"] };
    check("a.test", to("127.0.0.1:PORT"), "127.0.0.1", Reached::Other, "127.0.0.1:PORT").await;
    check("a.test", to("127.0.0.1"), "127.0.0.1", Reached::Usual, "127.0.0.1").await;
}

#[tokio::test]
async fn step_3_2_delegation_to_a_port() {
    let says = Says { delegation: Some("b.test:PORT"), services: &["_matrix-fed._tcp.b.test"] };
    check("a.test", says, "b.test", Reached::Other, "b.test:PORT").await;
}

#[tokio::test]
async fn step_3_3_delegation_to_a_service() {
    let services = &["_matrix-fed._tcp.b.test"][..];
    check("a.test", Says { delegation: Some("b.test"), services }, "b.test", Reached::Other, "b.test").await;
}

#[tokio::test]
async fn step_3_4_delegation_to_a_service_of_the_old_name() {
    let services = &["_matrix._tcp.b.test"][..];
    check("a.test", Says { delegation: Some("b.test"), services }, "b.test", Reached::Other, "b.test").await;
}

#[tokio::test]
async fn step_3_5_delegation_to_a_bare_name() {
    // The services of the name that delegates count no more.
    let services = &["_matrix-fed._tcp.a.test", "_matrix._tcp.a.test"][..];
    check("a.test", Says { delegation: Some("b.test"), services }, "b.test", Reached::Usual, "b.test").await;
}

#[tokio::test]
async fn step_4_service() {
    let services = &["_matrix-fed._tcp.a.test"][..];
    check("a.test", Says { delegation: None, services }, "a.test", Reached::Other, "a.test").await;
}

#[tokio::test]
async fn step_5_service_of_the_old_name() {
    let services = &["_matrix._tcp.a.test"][..];
    check("a.test", Says { delegation: None, services }, "a.test", Reached::Other, "a.test").await;
}

#[tokio::test]
async fn step_6_bare_name() {
    check("a.test", NOTHING, "a.test", Reached::Usual, "a.test").await;
    check("refuses-srv.test", NOTHING, "refuses-srv.test", Reached::Usual, "refuses-srv.test").await;
}

#[tokio::test]
async fn service_of_the_new_name_goes_before_that_of_the_old_one() {
    let world = World::new("a.test").await;
    world.dns.service("_matrix._tcp.a.test", "machine.test", 1);
    world.dns.service("_matrix-fed._tcp.a.test", "machine.test", world.other.port());
    world.ask("a.test").await.unwrap();
    assert_eq!(world.other.seen().len(), 1);
}

#[tokio::test]
async fn certificate_must_name_who_was_asked_for_and_not_the_machine() {
    for (name, certified) in [("a.test", "machine.test"), ("a.test", "b.test"), ("127.0.0.1", "a.test")] {
        let world = World::new(certified).await;
        world.dns.service("_matrix-fed._tcp.a.test", "machine.test", world.other.port());
        let problem = world.problem(name).await;
        assert!(problem.contains("certificate") && problem.contains("not valid for"), "{problem}");
    }
    let world = World::new("a.test").await;
    let stranger = TlsServer::start(&Authority::new(), &["a.test"], answer(200, &[], OK)).await;
    world.dns.service("_matrix-fed._tcp.a.test", "machine.test", stranger.port());
    let problem = world.problem("a.test").await;
    assert!(problem.contains("invalid peer certificate"), "{problem}");
}

#[tokio::test]
async fn delegation_that_makes_no_sense_is_as_good_as_none() {
    let much = format!("{{\"m.server\":\"b.test\",\"x\":\"{}\"}}", "x".repeat(60_000));
    for wrong in [
        answer(500, &[], "{\"m.server\":\"b.test\"}"),
        answer(201, &[], "{\"m.server\":\"b.test\"}"),
        answer(200, &[], "{\"m.server\":\"b test\"}"),
        answer(200, &[], "<html>"),
        answer(200, &[], &much),
        answer(302, &[("location", "http://moved.test/")], ""),
        answer(302, &[("location", "https://10.0.0.1/")], ""),
        answer(302, &[("location", "https://127.1.1.1:1/")], ""),
        // A circle.
        answer(302, &[("location", "/.well-known/matrix/server")], ""),
        "nonsense".to_owned(),
    ] {
        let world = World::new("a.test").await;
        world.web.answer_with(wrong);
        world.ask("a.test").await.unwrap();
        assert!(world.web.seen().len() <= 7, "redirects are bounded");
    }
}

#[tokio::test]
async fn redirect_of_a_delegation_is_followed() {
    let world = World::new("b.test").await;
    let body = answer(200, &[], "{\"m.server\":\"b.test\"}");
    let moved = TlsServer::start(&world.authority, &["moved.test"], body).await;
    let location = format!("https://moved.test:{}/there", moved.port());
    world.web.answer_with(answer(301, &[("location", location.as_str())], ""));
    world.ask("a.test").await.unwrap();
    assert_eq!(moved.seen()[0].target, "/there");
    assert_eq!(world.usual.seen(), seen(Some("b.test"), "b.test"));
}

#[tokio::test]
async fn delegations_and_their_absence_are_remembered() {
    let world = World::new("a.test").await;
    for (minutes, asked_again) in [(0, true), (4, false), (2, true), (4, false), (7, true)] {
        world.clock.advance(Duration::from_secs(60 * minutes));
        world.ask("a.test").await.unwrap();
        assert_eq!(world.web.seen().len(), usize::from(asked_again), "an absence");
    }
    let world = World::new("b.test").await;
    let body = "{\"m.server\":\"b.test\"}";
    world.web.answer_with(answer(200, &[("cache-control", "max-age=7200")], body));
    for (minutes, asked_again) in [(0, true), (119, false), (2, true)] {
        world.clock.advance(Duration::from_secs(60 * minutes));
        world.ask("a.test").await.unwrap();
        assert_eq!(world.web.seen().len(), usize::from(asked_again), "a delegation");
    }
}

#[tokio::test]
async fn addresses_inside_are_not_connected_to() {
    let world = World::with_guard("a.test", &[]).await;
    world.dns.host("metadata.test", "169.254.169.254");
    world.dns.service("_matrix-fed._tcp.b.test", "machine.test", world.other.port());
    for name in ["a.test", "a.test:8448", "b.test", "metadata.test", "127.0.0.1", "[::ffff:127.0.0.1]:1"] {
        let problem = world.problem(name).await;
        assert!(problem.contains("not on the public Internet"), "{name}: {problem}");
    }
    for name in ["127.1", "2130706433", "0x7f000001:443"] {
        let problem = world.problem(name).await;
        assert!(
            problem.contains("not on the public Internet") || problem.contains("no address"),
            "{problem}"
        );
    }
    let fetched = world.transport.fetch("https://a.test/file", PATIENT).await;
    assert!(fetched.unwrap_err().to_string().contains("not on the public Internet"));
    assert!(world.usual.seen().is_empty() && world.web.seen().is_empty());
}

#[tokio::test]
async fn names_that_lead_nowhere_are_told_with_the_reason() {
    let world = World::new("a.test").await;
    assert!(world.problem("nowhere.test").await.contains("nowhere.test has no address"));
    assert!(world.problem("broken.test").await.contains("the name server is broken"));
    world.dns.service("_matrix-fed._tcp.a.test", "", 0);
    assert!(world.problem("a.test").await.contains("there is no such service"));
}

#[tokio::test]
async fn answers_are_bounded_in_size_and_time() {
    let world = World::new("a.test").await;
    let limits = Limits { max_bytes: 10, timeout: Duration::from_secs(1), ..PATIENT };
    let ask = async || world.transport.exchange(&server("a.test"), get("/"), limits).await;
    world.usual.answer_with(answer(200, &[], "12345678901"));
    assert!(matches!(ask().await, Err(PeerError::TooLarge(_))), "it says how large it is");
    world.usual.answer_with("200 X\r\nconnection: close\r\n\r\n12345678901".to_owned());
    let body = ask().await.unwrap().into_body();
    assert!(matches!(body.collect(&server("a.test"), 1_000).await, Err(PeerError::TooLarge(_))));
    world.usual.answer_with("200 X\r\ncontent-length: 999\r\n\r\n123".to_owned());
    let limits = Limits { max_bytes: 1_000, ..limits };
    let answer = world.transport.exchange(&server("a.test"), get("/"), limits).await.unwrap();
    assert!(matches!(answer.into_body().collect(&server("a.test"), 1_000).await, Err(PeerError::Timeout(_))));
}

#[tokio::test]
async fn what_was_signed_goes_out_to_the_letter_or_not_at_all() {
    let world = World::new("a.test").await;
    for path in ["/a/%23alias%3Ab^c?x=%20+y&z=%27", "/_matrix/%252F/$id:b.test", "/", "/a//b"] {
        world.transport.exchange(&server("a.test"), get(path), PATIENT).await.unwrap();
        assert_eq!(world.usual.seen()[0].target, path);
    }
    for path in ["/a/../b", "/a/%2e%2e/b", "/a/./b", "/a?x='y'"] {
        let refused = world.transport.exchange(&server("a.test"), get(path), PATIENT).await;
        assert!(matches!(refused, Err(PeerError::Unsendable(_))), "{path}");
    }
    assert!(world.usual.seen().is_empty());
}
