//! A client API to send requests to, on a store of its own.

use std::{
    future::Future,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::body::Body;
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::BodyExt;
use parvis_accounts::{Accounts, AccountsSettings, Language, PasswordCost, Registration};
use parvis_ambient::{Ambient, Clock, SeededChance, TestClock, Timestamp};
use parvis_application_services::{ApplicationServices, Registration as ServiceRegistration};
use parvis_client_api::{
    Accent, Bounds, Discovery, Handles, RateLimitSettings, RateLimits, RoomVersions, SignOn, router,
};
use parvis_e2ee::{E2ee, E2eeSettings};
use parvis_events::{RoomVersion, ServerKey};
use parvis_media::{Media, Settings as MediaSettings};
use parvis_organisation::Organisation;
use parvis_outbound::ServiceQueries;
use parvis_peers::ServiceCaller;
use parvis_policy::{Policy, Settings, Standing, encryption::EncryptionPolicy};
use parvis_rooms::{Identity, Others, RoomSettings, Rooms};
use parvis_search::{Search, SearchSettings};
use parvis_storage::{DatabaseSettings, Store, StoreSettings, fresh_schema};
use parvis_sync::{SyncEngine, SyncSettings, View};
use parvis_wire::ClientAddress;
use ruma::{RoomVersionId, server_name};
use serde_json::{Value, json};
use tower::ServiceExt;

const BODY_LIMIT_BYTES: usize = 1 << 20;
/// When the clock of a world starts, in milliseconds since the Unix epoch.
const START: i64 = 1_700_000_000_000;
/// From this time on, files are not given to strangers any more.
const FREEZE: i64 = START + 1_000;

/// A homeserver's client API, and what it stands on.
pub(crate) struct World {
    pub(crate) api: Handles,
    pub(crate) clock: Arc<TestClock>,
    store: Store,
    ambient: Ambient,
    _directory: Arc<tempfile::TempDir>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
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

    /// A text in the body.
    pub(crate) fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("no {field} in {}", self.body)).to_owned()
    }
}

/// A client that may be logged in.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) user_id: String,
    pub(crate) device_id: String,
    pub(crate) token: String,
}

fn rooms(store: &Store, ambient: &Ambient, policy: Standing, services: ApplicationServices) -> Rooms {
    let identity = Identity {
        server_name: server_name!("parvis.test").to_owned(),
        key: Arc::new(ServerKey::generate([9; 32], "1").unwrap()),
    };
    let settings = RoomSettings {
        default_version: RoomVersion::V12,
        allowed_versions: RoomVersion::supported().chain(RoomVersion::proposed()).collect(),
        policy,
        may_publish: true,
        join_old_versions: false,
        calls_between_apps: true,
        services,
    };
    let others = Others::none(&identity);
    Rooms::new(store.clone(), ambient.clone(), identity, others, settings)
}

fn queries(caller: &ServiceCaller, ambient: &Ambient, services: ApplicationServices) -> ServiceQueries {
    ServiceQueries::new(services, caller.clone(), ambient.clone())
}

impl World {
    /// A world on SQLite in which anyone may register and nobody is limited.
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("parvis.db");
        let database = DatabaseSettings::Sqlite { path, readers: 2, relaxed_durability: true };
        Self::on(database, directory).await
    }

    async fn on_postgres(server: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let schema = format!("client_api_{}_{number}", std::process::id());
        let url = fresh_schema(server, &schema).await.unwrap();
        let database = DatabaseSettings::Postgres { url, connections: 4 };
        Self::on(database, tempfile::tempdir().unwrap()).await
    }

    async fn on(database: DatabaseSettings, directory: tempfile::TempDir) -> Self {
        let store = Store::open(&StoreSettings { database, cache_bytes: 8 << 20 }).await.unwrap();
        let clock = Arc::new(TestClock::starting_at(START));
        let ambient =
            Ambient { clock: Arc::clone(&clock) as Arc<dyn Clock>, chance: Arc::new(SeededChance::new(1)) };
        let media = media(&directory, &store, &ambient).await;
        let accounts = accounts(&store, &ambient, accounts_settings());
        let limits = Arc::new(RateLimits::new(&RateLimitSettings::OFF, &ambient.clock));
        let view = View::new(store.clone(), ambient.clone());
        let organisation = Organisation::open(store.clone(), ambient.clone(), Settings::new()).await.unwrap();
        let services = ApplicationServices::default();
        let rooms = rooms(&store, &ambient, organisation.standing(), services);
        let federation = rooms.others().federation.clone();
        let services_caller = federation.services();
        let settings = E2eeSettings::default();
        let api = Handles {
            e2ee: E2ee::new(store.clone(), ambient.clone(), federation, settings),
            discovery: Arc::new(discovery()),
            organisation,
            room_versions: Arc::new(RoomVersions {
                default: RoomVersionId::V12,
                allowed: vec![RoomVersionId::V11, RoomVersionId::V12],
            }),
            rooms,
            search: search(&store, &ambient).await,
            sync: SyncEngine::start(store.clone(), view.clone(), ambient.clone(), SyncSettings::default()),
            view,
            accounts,
            services: queries(&services_caller, &ambient, ApplicationServices::default()),
            limits,
            calls: Arc::default(),
            clock: Arc::clone(&ambient.clock),
            bounds: Bounds::default(),
            sign_on: None,
            media,
        };
        Self { api, clock, store, ambient, _directory: Arc::new(directory) }
    }

    /// The same world once more, for a task.
    pub(crate) fn handle(&self) -> Self {
        Self {
            api: self.api.clone(),
            clock: Arc::clone(&self.clock),
            store: self.store.clone(),
            ambient: self.ambient.clone(),
            _directory: Arc::clone(&self._directory),
        }
    }

    /// Has the organisation want this of encryption from now on.
    pub(crate) fn set_encryption(&self, encryption: EncryptionPolicy) {
        self.api.organisation.standing().replace(Policy { encryption });
    }

    /// This world with other settings for accounts.
    pub(crate) fn with_accounts(mut self, change: impl FnOnce(&mut AccountsSettings)) -> Self {
        let mut settings = accounts_settings();
        change(&mut settings);
        self.api.accounts = accounts(&self.store, &self.ambient, settings);
        self
    }

    /// This world with application services, as their registration files describe them.
    pub(crate) async fn with_services(mut self, files: &[&str]) -> Self {
        let registrations = files.iter().map(|file| ServiceRegistration::parse(file).unwrap()).collect();
        let services = ApplicationServices::new(server_name!("parvis.test"), registrations).unwrap();
        let policy = self.api.organisation.standing();
        self.api.rooms = rooms(&self.store, &self.ambient, policy, services.clone());
        let caller = self.api.rooms.others().federation.services();
        self.api.services = queries(&caller, &self.ambient, services.clone());
        let world = self.with_accounts(|settings| settings.services = services);
        world.api.accounts.welcome_services().await.unwrap();
        world
    }

    /// This world with apps that are let in by OAuth 2.0.
    pub(crate) fn with_oauth(self) -> Self {
        self.with_oauth_as(|_| {})
    }

    /// As [`with_oauth`](Self::with_oauth), with something changed.
    pub(crate) fn with_oauth_as(mut self, change: impl FnOnce(&mut SignOn)) -> Self {
        let mut sign_on = SignOn {
            organisation: "Parvis Test".to_owned(),
            default_language: Language::English,
            accent: Accent::default(),
            logo: None,
            passwords_in_apps: true,
            passwords_on_pages: true,
            qr_codes: true,
            registration: true,
            registration_needs_token: false,
        };
        change(&mut sign_on);
        self.api.sign_on = Some(Arc::new(sign_on));
        self
    }

    /// This world with limits.
    pub(crate) fn with_limits(mut self, limits: RateLimitSettings) -> Self {
        self.api.limits = Arc::new(RateLimits::new(&limits, &self.ambient.clock));
        self
    }

    /// Lets the time come from which on files are not given to strangers.
    pub(crate) fn freeze(&self) {
        self.clock.advance(Duration::from_millis(1_000));
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Sends a request. The path is the one after `/_matrix/client/`.
    pub(crate) async fn send(&self, method: Method, path: &str, token: Option<&str>, body: Value) -> Answer {
        self.send_from(method, path, token, body, None).await
    }

    /// Sends a request from an address.
    pub(crate) async fn send_from(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Value,
        address: Option<IpAddr>,
    ) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let mut request = Request::builder().method(method).uri(format!("/_matrix/client/{path}"));
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(address) = address {
            request = request.extension(ClientAddress(address));
        }
        let response = self.answer(request.body(Body::from(text)).unwrap()).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = serde_json::from_slice(&read(response).await).unwrap_or(Value::Null);
        Answer { status, headers, body }
    }

    /// The answer as it is.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = router(self.api.clone().into(), BODY_LIMIT_BYTES).oneshot(request).await.unwrap();
        parvis_record::request(method.as_str(), &path, response.status().as_u16());
        response
    }

    /// The status and the JSON body of the answer to a `GET` of a whole path, without a token.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.answer(Request::get(path).body(Body::empty()).unwrap()).await;
        (response.status().as_u16(), serde_json::from_slice(&read(response).await).unwrap())
    }

    /// `GET` as a client.
    pub(crate) async fn get_as(&self, client: &Client, path: &str) -> Answer {
        self.send(Method::GET, path, Some(&client.token), Value::Null).await
    }

    /// `POST` as a client.
    pub(crate) async fn post_as(&self, client: &Client, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(&client.token), body).await
    }

    /// `PUT` as a client.
    pub(crate) async fn put_as(&self, client: &Client, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(&client.token), body).await
    }

    /// `DELETE` as a client.
    pub(crate) async fn delete_as(&self, client: &Client, path: &str, body: Value) -> Answer {
        self.send(Method::DELETE, path, Some(&client.token), body).await
    }

    /// Makes a room, and gives its id.
    pub(crate) async fn room(&self, client: &Client) -> String {
        self.post_as(client, "v3/createRoom", json!({})).await.text("room_id")
    }

    /// Registers a user, whose password is `password`.
    pub(crate) async fn register(&self, username: &str) -> Client {
        let body =
            json!({ "username": username, "password": "password", "auth": { "type": "m.login.dummy" } });
        client(&self.send(Method::POST, "v3/register", None, body).await)
    }

    /// Logs a user in on one more device.
    pub(crate) async fn login(&self, username: &str, more: Value) -> Answer {
        let mut body = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": username },
            "password": "password",
        });
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        self.send(Method::POST, "v3/login", None, body).await
    }
}

/// The client that an answer to a login or a registration makes.
pub(crate) fn client(answer: &Answer) -> Client {
    Client {
        user_id: answer.text("user_id"),
        device_id: answer.text("device_id"),
        token: answer.text("access_token"),
    }
}

fn accounts_settings() -> AccountsSettings {
    AccountsSettings {
        registration: Registration::Open,
        account_management_uri: Some("https://matrix.example.org/_parvis/account".to_owned()),
        password_cost: PasswordCost { memory_kib: 8, passes: 1 },
        ..AccountsSettings::new(server_name!("parvis.test").to_owned())
    }
}

fn accounts(store: &Store, ambient: &Ambient, settings: AccountsSettings) -> Accounts {
    Accounts::new(store.clone(), ambient.clone(), settings)
}

async fn media(directory: &tempfile::TempDir, store: &Store, ambient: &Ambient) -> Media {
    let mut settings = MediaSettings::in_directory(directory.path().join("media"));
    settings.open_before = Some(Timestamp(FREEZE));
    let server_name = server_name!("parvis.test").to_owned();
    Media::open(settings, store.clone(), ambient.clone(), server_name).await.unwrap()
}

async fn search(store: &Store, ambient: &Ambient) -> Search {
    Search::start(store.clone(), ambient.clone(), SearchSettings::default()).await.unwrap()
}

fn discovery() -> Discovery {
    Discovery {
        public_base_url: "https://matrix.example.org".to_owned(),
        federation_address: None,
        support_contacts: Vec::new(),
        support_page: None,
        dehydrated_devices: false,
    }
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

/// The whole body of an answer.
pub(crate) async fn read(response: Response<Body>) -> Vec<u8> {
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}
