//! An application service on loopback that keeps what it is told.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

/// For how long what must come is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// For how long a question waits for the test to say what is answered.
const THINKS_FOR: Duration = Duration::from_secs(10);

/// An application service for the users `@irc_…`, the aliases `#irc_…` and the network `irc`, whose own user is
/// `@ircbot`. Serves until it is dropped.
#[derive(Debug)]
pub struct ApplicationService {
    address: SocketAddr,
    directory: TempDir,
    inner: Arc<Inner>,
    serving: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    /// How often something has changed.
    changes: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    /// The transactions in the order in which they came, repetitions too.
    transactions: Vec<(String, Value)>,
    /// What was asked: method, path and query, body.
    questions: Vec<(String, Value)>,
    /// What is answered to questions, by path.
    answers: BTreeMap<String, (u16, Value)>,
    /// What is answered in place of taking a transaction, so many times. It is noted all the same.
    failing: Option<(u16, usize)>,
}

impl ApplicationService {
    /// By which the service proves who it is.
    pub const TOKEN: &str = "as-secret";

    /// A service that takes what it is told, with more lines in its registration.
    pub async fn start(more: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let registration = format!(
            "id: irc\nurl: http://{address}\nas_token: {}\nhs_token: hs-secret\nsender_localpart: ircbot\n\
             rate_limited: false\nprotocols: [irc]\nnamespaces:\n  \
             users: [{{ exclusive: true, regex: '@irc_.*' }}]\n  \
             aliases: [{{ exclusive: true, regex: '#irc_.*' }}]\n{more}\n",
            Self::TOKEN
        );
        std::fs::write(directory.path().join("irc.yaml"), registration).unwrap();
        let mut service = Self { address, directory, inner: Arc::default(), serving: JoinSet::new() };
        service.serve(listener);
        service
    }

    /// The settings with which a server knows it, in TOML.
    pub fn settings(&self) -> String {
        format!("application_services.registration_directory = {:?}", self.directory.path())
    }

    /// Stops listening: whoever connects is refused.
    pub async fn go_down(&mut self) {
        self.serving.shutdown().await;
    }

    /// Listens again, at the same address.
    pub async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serve(listener);
    }

    /// Answers so many transactions with this status, though it takes note of them.
    pub fn fail(&self, status: u16, times: usize) {
        self.inner.state().failing = Some((status, times));
    }

    /// Answers a question from now on. The path is the one after `/_matrix/app/v1/`, without the query.
    pub fn answer(&self, path: &str, status: u16, body: Value) {
        self.inner.state().answers.insert(path.to_owned(), (status, body));
        self.inner.note();
    }

    /// All transactions that came, in order, repetitions too: id and body.
    pub fn transactions(&self) -> Vec<(String, Value)> {
        self.inner.state().transactions.clone()
    }

    /// All that was asked, in order: method, path and query; and the body.
    pub fn questions(&self) -> Vec<(String, Value)> {
        self.inner.state().questions.clone()
    }

    /// The events that came, in order, those of each transaction once.
    pub fn events(&self) -> Vec<Value> {
        self.list("events")
    }

    /// What came in such a list, in order, that of each transaction once.
    pub fn list(&self, name: &str) -> Vec<Value> {
        let mut seen = Vec::new();
        let mut all = Vec::new();
        for (id, body) in self.transactions() {
            if !seen.contains(&id) {
                all.extend(body[name].as_array().cloned().unwrap_or_default());
                seen.push(id);
            }
        }
        all
    }

    /// Waits until something is found in what came.
    pub async fn until<T>(&self, what: &str, find: impl Fn(&Self) -> Option<T>) -> T {
        let mut changes = self.inner.changes.subscribe();
        let waiting = async {
            loop {
                if let Some(found) = find(self) {
                    return found;
                }
                changes.changed().await.unwrap();
            }
        };
        let found = tokio::time::timeout(PATIENCE, waiting).await;
        found.unwrap_or_else(|_| panic!("the service did not get {what}: {:#?}", self.inner.state()))
    }

    /// Waits until a message with this text came.
    pub async fn hears(&self, text: &str) {
        let heard = |event: &Value| event["content"]["body"] == text;
        self.until(text, |service| service.events().iter().any(heard).then_some(())).await;
    }

    /// The texts of the messages that came, in order.
    pub fn texts(&self) -> Vec<String> {
        let text = |event: &Value| event["content"]["body"].as_str().map(str::to_owned);
        self.events().iter().filter_map(text).collect()
    }

    fn serve(&mut self, listener: TcpListener) {
        let inner = Arc::clone(&self.inner);
        self.serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let inner = Arc::clone(&inner);
                let service = service_fn(move |request| {
                    let inner = Arc::clone(&inner);
                    async move { Ok::<_, Infallible>(inner.respond(request).await) }
                });
                connections.spawn(async move {
                    // The other side closing a connection is no matter.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let is_server =
            head.headers.get(header::AUTHORIZATION).is_some_and(|value| value == "Bearer hs-secret");
        let path = head.uri.path().strip_prefix("/_matrix/app/v1/").unwrap_or_default().to_owned();
        let (status, answer) = match path.strip_prefix("transactions/") {
            _ if !is_server => (403, json!({ "errcode": "M_FORBIDDEN" })),
            Some(id) if head.method == Method::PUT => self.take(id, body),
            _ => {
                let asked = head.uri.path_and_query().map_or("", |asked| asked.as_str());
                self.state().questions.push((format!("{} {asked}", head.method), body));
                self.note();
                self.think(&path).await
            }
        };
        let mut response = Response::new(Full::new(Bytes::from(answer.to_string())));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    }

    fn take(&self, id: &str, body: Value) -> (u16, Value) {
        let mut state = self.state();
        state.transactions.push((id.to_owned(), body));
        let failed = state.failing.as_mut().filter(|failing| failing.1 > 0).map(|failing| {
            failing.1 -= 1;
            failing.0
        });
        drop(state);
        self.note();
        (failed.unwrap_or(200), json!({}))
    }

    async fn think(&self, path: &str) -> (u16, Value) {
        let mut changes = self.changes.subscribe();
        let thinking = async {
            loop {
                if let Some(answer) = self.state().answers.get(path) {
                    return answer.clone();
                }
                changes.changed().await.unwrap();
            }
        };
        let thought = tokio::time::timeout(THINKS_FOR, thinking).await;
        thought.unwrap_or_else(|_| (404, json!({ "errcode": "M_NOT_FOUND" })))
    }
}
