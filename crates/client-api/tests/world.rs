//! A client API to send requests to, on a store of its own.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use parvis_ambient::{Ambient, SeededChance, TestClock, Timestamp};
use parvis_client_api::{ClientApi, Discovery, router};
use parvis_media::{Media, Settings as MediaSettings};
use parvis_storage::{DatabaseSettings, Store, StoreSettings};
use ruma::server_name;
use serde_json::Value;
use tower::ServiceExt;

const BODY_LIMIT_BYTES: usize = 1 << 20;
const START: i64 = 1_700_000_000_000;
/// From this time on, files are not given to strangers any more.
const FREEZE: i64 = START + 1_000;

/// A homeserver as its handlers see it.
pub(crate) struct World {
    pub(crate) api: ClientApi,
    pub(crate) clock: Arc<TestClock>,
    _directory: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("parvis.db");
        let database = DatabaseSettings::Sqlite { path, readers: 2, relaxed_durability: true };
        let store = Store::open(&StoreSettings { database, cache_bytes: 1 << 20 }).await.unwrap();
        let clock = Arc::new(TestClock::starting_at(START));
        let ambient = Ambient { clock: clock.clone(), chance: Arc::new(SeededChance::new(1)) };
        let mut settings = MediaSettings::in_directory(directory.path().join("media"));
        settings.open_before = Some(Timestamp(FREEZE));
        let server_name = server_name!("example.org").to_owned();
        let media = Media::open(settings, store, ambient, server_name).await.unwrap();
        let discovery = Arc::new(discovery());
        let api = ClientApi { discovery, encryption: Default::default(), media };
        Self { api, clock, _directory: directory }
    }

    /// Lets the time come from which on files are not given to strangers.
    pub(crate) fn freeze(&self) {
        self.clock.advance(Duration::from_millis(1_000));
    }

    /// The answer as it is.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        router(self.api.clone(), BODY_LIMIT_BYTES).oneshot(request).await.unwrap()
    }

    /// The status and the JSON body of the answer to a `GET` without a token.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.answer(Request::get(path).body(Body::empty()).unwrap()).await;
        (response.status().as_u16(), serde_json::from_slice(&read(response).await).unwrap())
    }
}

/// The whole body of an answer.
pub(crate) async fn read(response: Response<Body>) -> Vec<u8> {
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

fn discovery() -> Discovery {
    Discovery {
        public_base_url: "https://matrix.example.org".to_owned(),
        federation_address: None,
        support_contacts: Vec::new(),
        support_page: None,
    }
}
