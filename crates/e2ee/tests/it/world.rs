//! An engine on a store of its own, and another server that answers as a test says.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use parvis_ambient::{Ambient, Clock, SeededChance, TestClock};
use parvis_e2ee::{BoxLimits, Caller, E2ee, E2eeSettings};
use parvis_events::{Membership, ServerKey};
use parvis_peers::{Body, Federation, Limits, PeerError, Transport};
use parvis_storage::{
    DatabaseSettings, DeviceSn, EventSn, RoomSn, Store, StoreSettings, UserSn, WriteSet, fresh_schema,
};
use ruma::{DeviceId, OwnedUserId, ServerName, server_name};
use serde_json::{Value, json, value::to_raw_value};

/// The room that everybody is in or not.
const ROOM: RoomSn = RoomSn(77);

/// An engine, and what it stands on.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) e2ee: E2ee,
    pub(crate) clock: Arc<TestClock>,
    network: Arc<Network>,
    _directory: tempfile::TempDir,
}

/// Answers by path, and what was asked.
#[derive(Debug, Default)]
struct Network {
    answers: Mutex<HashMap<String, Value>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for Network {
    async fn exchange(
        &self,
        destination: &ServerName,
        request: http::Request<Bytes>,
        _: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        let path = request.uri().path().to_owned();
        self.asked.lock().unwrap().push(path.clone());
        match self.answers.lock().unwrap().get(&path) {
            Some(answer) => Ok(http::Response::new(Body::whole(Bytes::from(answer.to_string())))),
            None => Err(PeerError::Timeout(destination.to_string())),
        }
    }
}

impl World {
    async fn on(database: DatabaseSettings, directory: tempfile::TempDir) -> Self {
        let store = Store::open(&StoreSettings { database, cache_bytes: 8 << 20 }).await.unwrap();
        let clock = Arc::new(TestClock::starting_at(1_700_000_000_000));
        let ambient =
            Ambient { clock: Arc::clone(&clock) as Arc<dyn Clock>, chance: Arc::new(SeededChance::new(1)) };
        let network = Arc::new(Network::default());
        let key = Arc::new(ServerKey::generate([7; 32], "1").unwrap());
        let federation = Federation::new(
            server_name!("here.test").to_owned(),
            key,
            Arc::clone(&network) as Arc<dyn Transport>,
        );
        let boxes = BoxLimits { messages: 300, size: 100_000 };
        let settings = E2eeSettings { share_device_names: true, boxes };
        let e2ee = E2ee::new(store.clone(), ambient, federation, settings);
        e2ee.start_tasks();
        Self { store, e2ee, clock, network, _directory: directory }
    }

    /// From now on, this is answered to who asks for the path.
    pub(crate) fn answer(&self, path: &str, answer: Value) {
        self.network.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.network.asked.lock().unwrap().iter().filter(|asked| *asked == path).count()
    }

    pub(crate) async fn user(&self, user_id: &str) -> (UserSn, OwnedUserId) {
        let user_id = OwnedUserId::try_from(user_id).unwrap();
        (self.store.intern_user(&user_id).await.unwrap(), user_id)
    }

    /// Somebody here, on a device.
    pub(crate) async fn caller(&self, user_id: &str, device_id: &str) -> Caller {
        let (user, user_id) = self.user(user_id).await;
        let device = DeviceSn(self.store.next_number().await.unwrap());
        let device_id: &DeviceId = device_id.into();
        let mut set = WriteSet::new();
        set.add_device(user, device, device_id, None, 1);
        self.store.commit(set).await.unwrap();
        Caller { user, user_id, device, device_id: device_id.to_owned() }
    }

    /// Lets somebody into the room, or out of it.
    pub(crate) async fn put_member(&self, user: UserSn, membership: Membership) {
        let mut set = WriteSet::new();
        set.put_resolved_member(user, ROOM, membership, EventSn(1));
        self.store.commit(set).await.unwrap();
    }

    /// Another server tells something.
    pub(crate) async fn hear(&self, edu_type: &str, content: Value) {
        let content = to_raw_value(&content).unwrap();
        assert!(self.e2ee.receive_edu(server_name!("there.test"), edu_type, &content).await.unwrap());
    }

    /// What was put down for the other server, since the last time.
    pub(crate) async fn told(&self) -> Vec<Value> {
        let server = server_name!("there.test");
        let edus = self.store.outgoing_edus(server, 100).await.unwrap();
        if let Some(last) = edus.last() {
            let mut set = WriteSet::new();
            set.delete_outgoing_edus(server, last.position);
            self.store.commit(set).await.unwrap();
        }
        edus.iter().map(|edu| serde_json::from_str(&edu.edu).unwrap()).collect()
    }

    /// What `find` finds, once it does.
    pub(crate) async fn soon<T>(&self, find: impl AsyncFn() -> Option<T>) -> T {
        for _ in 0..1_000 {
            if let Some(found) = find().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("what was to come did not");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.e2ee.close();
    }
}

/// Identity keys of a device.
pub(crate) fn device_keys(user_id: &str, device_id: &str, key: &str) -> Value {
    json!({
        "user_id": user_id,
        "device_id": device_id,
        "algorithms": [],
        "keys": { (format!("ed25519:{device_id}")): key },
        "signatures": {},
    })
}

/// Runs a test on each engine at hand.
pub(crate) async fn on_each_engine<F: Future<Output = ()>>(test: impl Fn(World) -> F) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("parvis.db");
    let sqlite = DatabaseSettings::Sqlite { path, readers: 2, relaxed_durability: true };
    test(World::on(sqlite, directory).await).await;
    if let Ok(server) = std::env::var("PARVIS_TEST_POSTGRES") {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let schema = format!("e2ee_{}_{number}", std::process::id());
        let url = fresh_schema(&server, &schema).await.unwrap();
        let postgres = DatabaseSettings::Postgres { url, connections: 4 };
        test(World::on(postgres, tempfile::tempdir().unwrap()).await).await;
    }
}
