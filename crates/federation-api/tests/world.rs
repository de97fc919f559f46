//! A federation API to send requests to, on a store of its own; and another server that sends them.

use std::{future::Future, sync::Arc};

use async_trait::async_trait;
use axum::body::Body;
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::BodyExt;
use parvis_accounts::{Accounts, AccountsSettings, PasswordCost, Session};
use parvis_ambient::{Ambient, Clock, SeededChance, TestClock};
use parvis_application_services::ApplicationServices;
use parvis_e2ee::{E2ee, E2eeSettings};
use parvis_events::{RoomVersion, ServerKey};
use parvis_federation_api::{FederationApi, OwnKey, Partners, router};
use parvis_media::{Media, Settings as MediaSettings};
use parvis_outbound::{Answers, Outbound, ServiceQueries};
use parvis_peers::{KeyBook, ServerKeys, VerifyKey, WantedKeys};
use parvis_policy::{ClientKind, Standing};
use parvis_rooms::{Actor, CreateRoom, Identity, InitialState, Others, RoomSettings, Rooms, SendEvent};
use parvis_storage::{DatabaseSettings, DeviceSn, SessionSn, Store, StoreSettings, fresh_schema};
use parvis_sync::{PresenceMode, SyncEngine, SyncSettings, View};
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, ServerName, server_name};
use serde_json::{Value, json, value::RawValue};
use tokio::sync::Semaphore;
use tower::ServiceExt;

pub(crate) const BODY_LIMIT_BYTES: usize = 1 << 20;
/// When the clock of a world starts, in milliseconds since the Unix epoch.
pub(crate) const START: i64 = 1_700_000_000_000;

/// The server under test.
pub(crate) const HERE: &str = "parvis.test";
/// A server that the organisation federates with.
pub(crate) const THERE: &str = "remote.test";
/// A server that it does not federate with.
pub(crate) const SHUT_OUT: &str = "shut-out.test";

/// A homeserver's federation API, and what it stands on.
pub(crate) struct World {
    pub(crate) api: FederationApi,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) store: Store,
    _directory: tempfile::TempDir,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// The status and the `errcode`, for comparing both at once.
    pub(crate) fn error(&self) -> (u16, &str) {
        (self.status, self.body["errcode"].as_str().unwrap_or("none"))
    }

    /// The body of an answer that must be 200.
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }
}

/// The key of a server: each server but one has a key of its own.
pub(crate) fn key_of(server: &str) -> ServerKey {
    let mut seed = [7; 32];
    for (place, byte) in seed.iter_mut().zip(server.bytes()) {
        *place = byte;
    }
    ServerKey::generate(seed, "k").unwrap()
}

/// Knows the keys of all servers but `unknown.test`.
#[derive(Debug)]
struct Keys;

#[async_trait]
impl ServerKeys for Keys {
    async fn keys(&self, wanted: &WantedKeys) -> KeyBook {
        let mut book = KeyBook::default();
        for (server, keys) in wanted {
            for key_id in keys.keys() {
                if let Some(key) = self.key_for_request(server, key_id).await {
                    book.insert(server, key_id, key);
                }
            }
        }
        book
    }

    async fn key_for_request(&self, server: &ServerName, key_id: &str) -> Option<VerifyKey> {
        let key = key_of(server.as_str());
        let known = server != "unknown.test" && key_id == key.key_id();
        let valid_until_ts = START + 1_000_000_000;
        known.then(|| VerifyKey { public_key: key.public_key_base64(), valid_until_ts, retired: false })
    }
}

/// Federates with all but one.
#[derive(Debug)]
struct AllButOne;

impl Partners for AllButOne {
    fn allows(&self, server: &ServerName) -> bool {
        server != SHUT_OUT
    }
}

fn rooms(store: &Store, ambient: &Ambient) -> Rooms {
    let identity =
        Identity { server_name: server_name!("parvis.test").to_owned(), key: Arc::new(key_of(HERE)) };
    let settings = RoomSettings {
        default_version: RoomVersion::V12,
        allowed_versions: RoomVersion::supported().collect(),
        policy: Standing::default(),
        may_publish: true,
        join_old_versions: false,
        calls_between_apps: true,
        services: ApplicationServices::default(),
    };
    let others = Others { keys: Arc::new(Keys), ..Others::none(&identity) };
    Rooms::new(store.clone(), ambient.clone(), identity, others, settings)
}

/// Who asks, and for what.
pub(crate) struct Asked<'a> {
    pub(crate) origin: &'a str,
    pub(crate) destination: &'a str,
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) body: Value,
}

impl<'a> Asked<'a> {
    /// A `GET` by the partner.
    pub(crate) fn get(path: &'a str) -> Self {
        Self { origin: THERE, destination: HERE, method: Method::GET, path, body: Value::Null }
    }

    /// The `Authorization` header that fits.
    pub(crate) fn authorization(&self) -> String {
        let content = (!self.body.is_null()).then(|| self.body.to_string());
        self.authorization_with(content.as_deref())
    }

    /// The `Authorization` header that fits to a body which is canonical JSON, or as good.
    fn authorization_with(&self, content: Option<&str>) -> String {
        let Self { origin, destination, method, path, .. } = self;
        // Its keys are sorted, and it has no blanks: that is canonical.
        let names = json!({
            "destination": destination, "method": method.as_str(), "origin": origin, "uri": path,
        });
        let mut text = names.to_string();
        if let Some(content) = content {
            text.insert_str(1, &format!("\"content\":{content},"));
        }
        let key = key_of(origin);
        let sig = key.sign_bytes(text.as_bytes());
        let key_id = key.key_id();
        format!("X-Matrix origin=\"{origin}\",destination=\"{destination}\",key=\"{key_id}\",sig=\"{sig}\"")
    }

    /// The signed request with another body, canonical JSON or as good; or none if it is empty.
    pub(crate) fn request_with(&self, body: &str) -> Request<Body> {
        let authorization = self.authorization_with(Some(body).filter(|body| !body.is_empty()));
        let request = Request::builder().method(self.method.clone()).uri(self.path);
        request.header(header::AUTHORIZATION, authorization).body(Body::from(body.to_owned())).unwrap()
    }

    /// The signed request.
    pub(crate) fn request(&self) -> Request<Body> {
        let body = if self.body.is_null() { String::new() } else { self.body.to_string() };
        let request = Request::builder().method(self.method.clone()).uri(self.path);
        request.header(header::AUTHORIZATION, self.authorization()).body(Body::from(body)).unwrap()
    }
}

impl World {
    /// A world on SQLite.
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("parvis.db");
        let database = DatabaseSettings::Sqlite { path, readers: 2, relaxed_durability: true };
        Self::on(database, directory).await
    }

    async fn on_postgres(server: &str) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let schema = format!("federation_api_{}_{number}", std::process::id());
        let url = fresh_schema(server, &schema).await.unwrap();
        let database = DatabaseSettings::Postgres { url, connections: 4 };
        Self::on(database, tempfile::tempdir().unwrap()).await
    }

    async fn on(database: DatabaseSettings, directory: tempfile::TempDir) -> Self {
        let store = Store::open(&StoreSettings { database, cache_bytes: 8 << 20 }).await.unwrap();
        let clock = Arc::new(TestClock::starting_at(START));
        let ambient =
            Ambient { clock: Arc::clone(&clock) as Arc<dyn Clock>, chance: Arc::new(SeededChance::new(1)) };
        let server_name = server_name!("parvis.test").to_owned();
        let settings = MediaSettings::in_directory(directory.path().join("media"));
        let media = Media::open(settings, store.clone(), ambient.clone(), server_name.clone()).await.unwrap();
        let settings = AccountsSettings {
            password_cost: PasswordCost { memory_kib: 8, passes: 1 },
            ..AccountsSettings::new(server_name.clone())
        };
        let accounts = Accounts::new(store.clone(), ambient.clone(), settings);
        let rooms = rooms(&store, &ambient);
        let view = View::new(store.clone(), ambient.clone());
        let settings = SyncSettings { presence: PresenceMode::On };
        let sync = SyncEngine::start(store.clone(), view, ambient.clone(), settings);
        let federation = rooms.others().federation.clone();
        let outbound = Outbound::start(store.clone(), ambient.clone(), federation.clone()).await.unwrap();
        let settings = E2eeSettings::default();
        let caller = rooms.others().federation.services();
        let services = ServiceQueries::new(ApplicationServices::default(), caller, ambient.clone());
        let api = FederationApi {
            e2ee: E2ee::new(store.clone(), ambient.clone(), federation, settings),
            rooms,
            accounts,
            media,
            sync,
            outbound,
            services,
            answers: Answers::new(store.clone(), ambient.clone()),
            partners: Arc::new(AllButOne),
            keys: Arc::new(OwnKey { server_name, key: Arc::new(key_of(HERE)), ambient: ambient.clone() }),
            ambient,
            heavy: Arc::new(Semaphore::new(FederationApi::HEAVY)),
        };
        Self { api, clock, store, _directory: directory }
    }

    /// The answer to a request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response: Response<Body> =
            router(self.api.clone(), BODY_LIMIT_BYTES).oneshot(request).await.unwrap();
        parvis_record::request(method.as_str(), &path, response.status().as_u16());
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes().to_vec();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status, headers, body, bytes }
    }

    /// The answer to a signed `GET` of the partner.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Asked::get(path).request()).await
    }

    /// The answer to a signed `POST` of the partner.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Asked { method: Method::POST, body, ..Asked::get(path) }.request()).await
    }

    /// The answer to a `GET` of nobody.
    pub(crate) async fn get_unsigned(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Somebody, also of another server: what they do is then as if their server had done it here.
    pub(crate) async fn person(&self, user_id: &str) -> Actor {
        let user_id = OwnedUserId::try_from(user_id).unwrap();
        let user = self.store.intern_user(&user_id).await.unwrap();
        Actor::new(user, user_id, DeviceSn(user.0), ClientKind::FollowsPublishedDefault)
    }

    /// An account here, and a session of it.
    pub(crate) async fn account(&self, localpart: &str) -> Session {
        self.api.accounts.create(localpart, Some("password"), false).await.unwrap();
        let Actor { user, user_id, .. } = self.person(&format!("@{localpart}:{HERE}")).await;
        let (device, session) = (DeviceSn(user.0), SessionSn(user.0));
        Session {
            user,
            user_id,
            device,
            device_id: "DEVICE".into(),
            session,
            is_admin: false,
            suspended: false,
            guest: false,
            by_oauth: false,
            service: None,
        }
    }

    /// A public room of this state.
    pub(crate) async fn room(&self, creator: &Actor, state: &[(&str, &str, Value)]) -> OwnedRoomId {
        let mut initial_state = vec![state_event("m.room.join_rules", "", &json!({ "join_rule": "public" }))];
        initial_state.extend(state.iter().map(|(kind, key, content)| state_event(kind, key, content)));
        let wanted = CreateRoom { initial_state, ..CreateRoom::default() };
        self.api.rooms.create(creator, wanted).await.unwrap()
    }

    pub(crate) async fn join(&self, actor: &Actor, room_id: &RoomId) {
        self.api.rooms.join(actor, room_id, &[], None, &serde_json::Map::new()).await.unwrap();
    }

    pub(crate) async fn say(&self, actor: &Actor, room_id: &RoomId, text: &str) -> OwnedEventId {
        let content = raw(&json!({ "msgtype": "m.text", "body": text }));
        let kind = "m.room.message".to_owned();
        let event = SendEvent { kind, content, transaction_id: text.to_owned() };
        self.api.rooms.send(actor, room_id, event).await.unwrap()
    }

    /// Replies to an event by `m.relationship`.
    pub(crate) async fn reply(&self, actor: &Actor, room_id: &RoomId, target: &EventId) -> OwnedEventId {
        let relationship = json!({ "rel_type": "m.reference", "event_id": target });
        let content = json!({ "msgtype": "m.text", "body": "reply", "m.relationship": relationship });
        let (kind, transaction_id) = ("m.room.message".to_owned(), format!("reply to {target}"));
        let event = SendEvent { kind, content: raw(&content), transaction_id };
        self.api.rooms.send(actor, room_id, event).await.unwrap()
    }

    pub(crate) async fn set(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        kind: &str,
        content: Value,
    ) -> OwnedEventId {
        self.api.rooms.set_state(actor, room_id, kind, "", &raw(&content)).await.unwrap()
    }
}

fn state_event(kind: &str, state_key: &str, content: &Value) -> InitialState {
    InitialState { kind: kind.to_owned(), state_key: state_key.to_owned(), content: raw(content) }
}

pub(crate) fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap()
}

/// Runs a test on each engine at hand.
pub(crate) async fn on_each_engine<F>(test: impl Fn(World) -> F)
where
    F: Future<Output = ()>,
{
    test(World::new().await).await;
    #[expect(clippy::disallowed_methods, reason = "tests are told of a server by the environment")]
    let server = std::env::var("PARVIS_TEST_POSTGRES");
    if let Ok(server) = server {
        test(World::on_postgres(&server).await).await;
    }
}

/// An identifier as it stands in a path or query.
pub(crate) fn encode(id: impl AsRef<str>) -> String {
    let mut encoded = String::new();
    for byte in id.as_ref().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
