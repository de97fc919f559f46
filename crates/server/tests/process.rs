//! The process from outside: listeners, host names, health, metrics, shutdown.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parvis_ambient::{Ambient, SystemChance, TestClock};
use parvis_server::{Process, ServeError, config::Config, open_accounts};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::io::AsyncReadExt;

use crate::world::{Answer, ask, config, get, post, request, start};

const VERSIONS: &str = "/_matrix/client/versions";
const WELL_KNOWN: &str = "/.well-known/matrix/client";

#[tokio::test]
async fn three_homeservers_in_one_process_are_told_apart_by_host_name() {
    let directories = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let names = ["one.example", "two.example", "three.example"];
    let of_one = |(directory, name): (&tempfile::TempDir, &str)| config(directory.path(), name);
    let configs: Vec<Config> = directories.iter().zip(names).map(of_one).collect();
    let organisations = configs.iter().flat_map(|config| config.organisations.clone()).collect();
    let process = start(Config { organisations, process: configs[0].process.clone() }).await;

    let address = process.client_address.unwrap();
    for name in names {
        let answer = get(address, &format!("{name}:8008"), WELL_KNOWN).await;
        assert_eq!(answer.json()["m.homeserver"]["base_url"], format!("https://{name}"));
    }
    let unknown = get(address, "four.example", VERSIONS).await;
    assert_eq!((unknown.status, &unknown.json()["errcode"]), (404, &"M_UNRECOGNIZED".into()));
    process.stop().await;
    for directory in directories {
        assert!(directory.path().join("parvis.db").exists());
    }
}

#[tokio::test]
async fn development_organisation_answers_under_any_name() {
    let directory = tempfile::tempdir().unwrap();
    let process = start(config(directory.path(), "localhost")).await;
    for host in ["localhost:8008", "127.0.0.1", "my-machine.local"] {
        assert_eq!(get(process.client_address.unwrap(), host, VERSIONS).await.status, 200);
    }
    process.stop().await;
}

#[tokio::test]
async fn health_is_told_under_any_name() {
    let directory = tempfile::tempdir().unwrap();
    let process = start(config(directory.path(), "example.org")).await;
    let answer = get(process.client_address.unwrap(), "10.0.0.1", "/health").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    process.stop().await;
}

#[tokio::test]
async fn metrics_count_by_route_on_a_listener_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path(), "example.org");
    config.process.metrics_address = Some("127.0.0.1:0".parse().unwrap());
    let process = start(config).await;
    let clients = process.client_address.unwrap();
    for _ in 0..3 {
        get(clients, "example.org", VERSIONS).await;
    }
    get(clients, "example.org", "/_matrix/client/v3/nothing/@alice:example.org").await;
    ask(clients, &request("PATCH", "example.org", VERSIONS)).await;

    let text = get(process.metrics_address.unwrap(), "example.org", "/metrics").await.body;
    for line in [
        r#"parvis_http_requests_total{method="GET",route="/_matrix/client/versions",status="200"} 3"#,
        r#"parvis_http_requests_total{method="GET",route="unmatched",status="404"} 1"#,
        r#"parvis_http_requests_total{method="other",route="/_matrix/client/versions",status="405"} 1"#,
        r#"parvis_http_request_duration_seconds_count{method="GET",route="/_matrix/client/versions"} 3"#,
        "parvis_federation_servers_waiting 0",
        "parvis_federation_transactions_total 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    assert!(!text.contains("alice"));
    assert_eq!(get(clients, "example.org", "/metrics").await.status, 404, "not for the public");
    process.stop().await;
}

#[tokio::test]
async fn stop_does_not_wait_for_idle_connections() {
    let directory = tempfile::tempdir().unwrap();
    let process = start(config(directory.path(), "example.org")).await;
    let address = process.client_address.unwrap();
    let mut idle = tokio::net::TcpStream::connect(address).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), process.stop()).await.expect("stops at once");
    let mut rest = Vec::new();
    assert_eq!(idle.read_to_end(&mut rest).await.unwrap_or(0), 0, "the connection is closed");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn waiting_sync_is_answered_when_the_server_stops() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), "example.org");
    let (accounts, store) = open_accounts(&config.organisations[0], Ambient::system()).await.unwrap();
    accounts.create("alice", Some("long enough"), false).await.unwrap();
    drop(accounts);
    store.close().await;
    let process = start(config).await;
    let address = process.client_address.unwrap();
    let body = r#"{ "type": "m.login.password", "password": "long enough",
                    "identifier": { "type": "m.id.user", "user": "alice" } }"#;
    let login = post(address, "example.org", "/_matrix/client/v3/login", body).await.json();
    let token = login["access_token"].as_str().unwrap();
    let sync = async |query: String| {
        let head = format!("GET /_matrix/client/v3/sync?{query} HTTP/1.1\r\nHost: example.org");
        let request = format!("{head}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
        ask(address, &request).await.json()
    };
    let since = sync(String::new()).await["next_batch"].as_str().unwrap().to_owned();

    let waiting = sync(format!("since={since}&timeout=60000"));
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        process.stop().await;
    };
    let both = async { tokio::join!(waiting, stopping) };
    let (answer, ()) = tokio::time::timeout(Duration::from_secs(8), both).await.expect("no time of grace");
    assert_eq!(answer["next_batch"].as_str(), Some(since.as_str()));
}

#[tokio::test]
async fn address_in_use_stops_the_start_before_anything_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config(directory.path(), "example.org");
    config.process.client_address = Some(taken.local_addr().unwrap());
    let error = Process::start(config, Ambient::system()).await.unwrap_err();
    assert!(matches!(error, ServeError::Listen { .. }), "{error}");
    assert!(!directory.path().join("parvis.db").exists());
}

/// Tests run in the directory of their package.
fn certificate(name: &str) -> PathBuf {
    Path::new("tests/certificates").join(name)
}

/// An organisation that serves TLS with copies of the certificate `first`.
fn tls_config(directory: &Path) -> Config {
    let (file, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
    install("first", directory);
    let mut config = config(directory, "localhost");
    config.process.tls_address = Some("127.0.0.1:0".parse().unwrap());
    config.process.federation_address = Some("127.0.0.1:0".parse().unwrap());
    config.process.certificate =
        Some(parvis_server::config::CertificateFiles { certificate_file: file, key_file: key });
    config
}

fn install(name: &str, directory: &Path) {
    std::fs::copy(certificate(&format!("{name}.pem")), directory.join("certificate.pem")).unwrap();
    std::fs::copy(certificate(&format!("{name}.key.pem")), directory.join("key.pem")).unwrap();
}

/// What is answered over TLS to a client who trusts the certificate `name`, if it comes to that.
async fn get_over_tls(address: SocketAddr, name: &'static str) -> std::io::Result<Answer> {
    let ask = move || {
        let mut roots = RootCertStore::empty();
        let trusted = CertificateDer::from_pem_file(certificate(&format!("{name}.pem"))).unwrap();
        roots.add(trusted).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server = ServerName::try_from("localhost").unwrap();
        let mut connection = ClientConnection::new(Arc::new(client), server).unwrap();
        let mut socket = TcpStream::connect(address)?;
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        stream.write_all(request("GET", "localhost", VERSIONS).as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(Answer::parse(&text))
    };
    tokio::task::spawn_blocking(ask).await.unwrap()
}

#[tokio::test]
async fn clients_are_served_over_tls() {
    let directory = tempfile::tempdir().unwrap();
    let process = start(tls_config(directory.path())).await;
    let address = process.tls_address.unwrap();
    for address in [address, process.federation_address.unwrap()] {
        assert_eq!(get_over_tls(address, "first").await.unwrap().status, 200);
    }
    assert!(get_over_tls(address, "second").await.is_err(), "another certificate");
    process.stop().await;
}

#[tokio::test]
async fn changed_certificate_files_are_noticed_and_unusable_ones_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(TestClock::starting_at(0));
    let ambient = Ambient { clock: Arc::clone(&clock) as _, chance: Arc::new(SystemChance) };
    let process = Process::start(tls_config(directory.path()), ambient).await.unwrap();
    let address = process.tls_address.unwrap();

    std::fs::write(directory.path().join("key.pem"), "not a key").unwrap();
    look(&clock).await;
    assert_eq!(get_over_tls(address, "first").await.unwrap().status, 200);

    install("second", directory.path());
    look(&clock).await;
    for address in [address, process.federation_address.unwrap()] {
        assert_eq!(get_over_tls(address, "second").await.unwrap().status, 200);
    }
    process.stop().await;
}

/// Lets a minute pass, and what waited for it run.
async fn look(clock: &TestClock) {
    tokio::time::sleep(Duration::from_millis(50)).await;
    clock.advance(Duration::from_secs(61));
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn certificate_that_cannot_be_used_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let config = tls_config(directory.path());
    std::fs::write(directory.path().join("certificate.pem"), "nothing").unwrap();
    let error = Process::start(config, Ambient::system()).await.unwrap_err();
    assert!(error.to_string().contains("certificate.pem"), "{error}");
}
