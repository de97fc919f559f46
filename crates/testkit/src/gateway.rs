//! A push gateway on loopback that keeps what it is told.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// For how long what must come is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A push gateway that serves until it is dropped. Servers need `push.allowed_private_ranges = ["127.0.0.0/8"]` to
/// reach it.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    /// How many requests have come.
    requests: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    /// What was taken.
    taken: Vec<Value>,
    /// The keys that are not known any more.
    rejected: Vec<String>,
    /// What is answered instead of taking anything.
    down: Option<StatusCode>,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let is_known = request.method() == Method::POST && request.uri().path() == "/_matrix/push/v1/notify";
        let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let answer = self.take(is_known, &body);
        self.requests.send_modify(|requests| *requests += 1);
        let body =
            Full::new(Bytes::from(json!({ "rejected": answer.clone().unwrap_or_default() }).to_string()));
        let mut response = Response::new(body);
        *response.status_mut() = answer.err().unwrap_or(StatusCode::OK);
        response
    }

    /// The keys that are rejected, or what else is answered.
    fn take(&self, is_known: bool, body: &[u8]) -> Result<Vec<String>, StatusCode> {
        let mut state = self.state();
        if let Some(status) = state.down {
            return Err(status);
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        if !is_known || !body["notification"].is_object() {
            return Err(StatusCode::BAD_REQUEST);
        }
        state.taken.push(body["notification"].clone());
        let keys = body["notification"]["devices"].as_array().cloned().unwrap_or_default();
        let keys = keys.iter().filter_map(|device| device["pushkey"].as_str().map(str::to_owned));
        Ok(keys.filter(|key| state.rejected.contains(key)).collect())
    }
}

impl Gateway {
    /// A gateway that takes what it is told.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::<Inner>::default();
        let serving = Arc::clone(&inner);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let inner = Arc::clone(&serving);
                let service = service_fn(move |request| {
                    let inner = Arc::clone(&inner);
                    async move { Ok::<_, Infallible>(inner.answer(request).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, inner, task }
    }

    /// A pusher that leads here, to be set.
    pub fn pusher(&self, pushkey: &str) -> Value {
        json!({
            "kind": "http",
            "app_id": "org.example.app",
            "pushkey": pushkey,
            "app_display_name": "An app",
            "device_display_name": "A phone",
            "lang": "en",
            "data": {
                "url": format!("http://{}/_matrix/push/v1/notify", self.address),
                "format": "event_id_only",
                "default_payload": { "client": "c" },
            },
        })
    }

    /// Answers everything with this status from now on, or takes it again.
    pub fn set_down(&self, status: Option<u16>) {
        self.inner.state().down = status.map(|status| StatusCode::from_u16(status).unwrap());
    }

    /// Does not know a key any more.
    pub fn reject(&self, pushkey: &str) {
        self.inner.state().rejected.push(pushkey.to_owned());
    }

    /// How many requests have come, whether they were taken or not.
    pub fn requests(&self) -> usize {
        *self.inner.requests.borrow()
    }

    /// What was taken for a key, in order.
    pub fn told(&self, pushkey: &str) -> Vec<Value> {
        let is_for_key = |notification: &&Value| notification["devices"][0]["pushkey"] == pushkey;
        self.inner.state().taken.iter().filter(is_for_key).cloned().collect()
    }

    /// The events of which a key was told, in order.
    pub fn events(&self, pushkey: &str) -> Vec<String> {
        let told = self.told(pushkey);
        told.iter().filter_map(|notification| notification["event_id"].as_str().map(str::to_owned)).collect()
    }

    /// The number on the icon that a key was told last.
    pub fn badge(&self, pushkey: &str) -> Option<u64> {
        self.told(pushkey).last()?["counts"]["unread"].as_u64()
    }

    /// Waits until `find` finds something in what was told.
    ///
    /// # Panics
    /// If it finds nothing for long; says what was `expected`.
    pub async fn until<T>(&self, expected: &str, mut find: impl FnMut(&Self) -> Option<T>) -> T {
        let mut requests = self.inner.requests.subscribe();
        let finding = async {
            loop {
                requests.borrow_and_update();
                if let Some(found) = find(self) {
                    return found;
                }
                // The gateway is still there, and so is who counts.
                requests.changed().await.unwrap();
            }
        };
        let found = tokio::time::timeout(PATIENCE, finding).await;
        found.unwrap_or_else(|_| panic!("not told: {expected}; but {:#?}", self.inner.state()))
    }

    /// Waits until a key was told of an event; gives the notification.
    pub async fn until_event(&self, pushkey: &str, event: &str) -> Value {
        let is_it = |notification: &Value| notification["event_id"] == event;
        self.until(event, |gateway| gateway.told(pushkey).into_iter().find(is_it)).await
    }

    /// Waits until the number on the icon that a key was told last is this one.
    pub async fn until_badge(&self, pushkey: &str, badge: u64) {
        let expected = format!("the number {badge}");
        self.until(&expected, |gateway| (gateway.badge(pushkey) == Some(badge)).then_some(())).await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}
