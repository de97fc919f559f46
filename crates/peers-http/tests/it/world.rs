//! Stores, and networks that do what a test says.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use parvis_ambient::{Ambient, Clock, SeededChance, TestClock};
use parvis_peers::{Body, Limits, PeerError, Transport};
use parvis_storage::{DatabaseSettings, Store, StoreSettings};
use ruma::{OwnedServerName, ServerName};

/// What a test's clock shows at first.
pub(crate) const START_MS: i64 = 1_700_000_000_000;

/// A clock that a test moves, and what belongs to it.
pub(crate) fn ambient() -> (Ambient, Arc<TestClock>) {
    let clock = Arc::new(TestClock::starting_at(START_MS));
    let chance = Arc::new(SeededChance::new(1));
    (Ambient { clock: Arc::clone(&clock) as Arc<dyn Clock>, chance }, clock)
}

/// A store, and the directory that it is in.
pub(crate) async fn store() -> (Store, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (open(&directory).await, directory)
}

pub(crate) async fn open(directory: &tempfile::TempDir) -> Store {
    let path = directory.path().join("parvis.db");
    let database = DatabaseSettings::Sqlite { path, readers: 2, relaxed_durability: true };
    Store::open(&StoreSettings { database, cache_bytes: 1 << 20 }).await.unwrap()
}

pub(crate) fn server(name: &str) -> OwnedServerName {
    ServerName::parse(name).unwrap()
}

pub(crate) const PATIENT: Limits =
    Limits { timeout: Duration::from_secs(10), max_bytes: 1 << 20, despite_back_off: false };
pub(crate) const INSISTENT: Limits = Limits { despite_back_off: true, ..PATIENT };

pub(crate) fn get(path: &str) -> Request<Bytes> {
    Request::get(path).body(Bytes::new()).unwrap()
}

/// A network on which a test says how each try ends, in order; with nothing said, in a 200.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    outcomes: Mutex<VecDeque<Outcome>>,
    tries: Mutex<Vec<String>>,
}

#[derive(Debug)]
pub(crate) enum Outcome {
    Silence,
    Status(u16),
    SlowDown { retry_after: &'static str },
}

impl Scripted {
    pub(crate) fn then(&self, outcome: Outcome) {
        self.outcomes.lock().unwrap().push_back(outcome);
    }

    /// How many requests came this far.
    pub(crate) fn tries(&self) -> usize {
        self.tries.lock().unwrap().len()
    }
}

#[async_trait]
impl Transport for Scripted {
    async fn exchange(
        &self,
        destination: &ServerName,
        request: Request<Bytes>,
        _: Limits,
    ) -> Result<Response<Body>, PeerError> {
        self.tries.lock().unwrap().push(format!("{destination} {}", request.uri()));
        let response = Response::builder();
        let response = match self.outcomes.lock().unwrap().pop_front() {
            None => response,
            Some(Outcome::Silence) => return Err(PeerError::Timeout(destination.to_string())),
            Some(Outcome::Status(status)) => response.status(status),
            Some(Outcome::SlowDown { retry_after }) => {
                response.status(StatusCode::TOO_MANY_REQUESTS).header("retry-after", retry_after)
            }
        };
        Ok(response.body(Body::whole(Bytes::from_static(b"{}"))).unwrap())
    }
}
