//! A homeserver, composed: one organisation's configuration, store and engines, and the router in front of them.

use std::{error::Error, io, path::PathBuf, sync::Arc, time::Instant};

use axum::Router;
use parvis_accounts::Accounts;
use parvis_admin_api::AdminApi;
use parvis_ambient::{Ambient, Timestamp};
use parvis_client_api::{ClientApi, Handles, RateLimits};
use parvis_e2ee::E2ee;
use parvis_events::ServerKey;
use parvis_federation_api::FederationApi;
use parvis_media::{Media, PreviewSettings, Settings as MediaSettings};
use parvis_organisation::{Organisation, Source};
use parvis_outbound::{
    Answers, MailPush, Outbound, OutboundStatus, Push, PushSettings, PushStatus, ServiceQueries,
    ServiceTransactions,
};
use parvis_peers::{Federation, ProviderCaller, Transport};
use parvis_peers_http::KeyRing;
use parvis_rooms::{EncryptionOfRoom, Identity, Others, Rooms, RoomsStatus};
use parvis_search::{Search, SearchStatus};
use parvis_storage::{CommitError, DatabaseSettings, Pace, StorageError, Store, StoreSettings, WriteSet};
use parvis_sync::{SyncEngine, View};
use parvis_wire::{Settings as EnvelopeSettings, Telemetry, envelope};
use ruma::RoomId;
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::{
    attention::BySync,
    config::{MediaConfig, OrganisationConfig, SqliteSynchronous, StorageConfig},
    directory::people_directory,
    engine_settings::{
        accounts_settings, bounds, e2ee_settings, rate_limits, room_settings, room_versions, search_settings,
        sync_settings,
    },
    mail::{mail_push, mail_settings},
    others::{ByRules, Notary, guarded},
    passing::pass_on,
};

/// The largest body that another server may send: a transaction of fifty of the largest events, and what is said
/// beside them.
const MAX_FEDERATION_BYTES: usize = 16 << 20;

/// A homeserver. It shares nothing with any other in the process.
#[derive(Debug)]
pub struct Homeserver {
    config: Arc<OrganisationConfig>,
    store: Store,
    media: Media,
    router: Router,
    rooms: Rooms,
    sync: SyncEngine,
    search: Search,
    outbound: Outbound,
    transactions: ServiceTransactions,
    /// None, where the organisation has phones told nothing.
    push: Option<Push>,
    passing: JoinHandle<()>,
    e2ee: E2ee,
    organisation: Organisation,
}

/// Why a homeserver does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its store cannot be opened.
    #[error("the storage of {server_name} cannot be opened: {source}")]
    Storage {
        /// Whose storage.
        server_name: String,
        /// What is wrong with it.
        source: StorageError,
    },
    /// Its signing key cannot be read or made.
    #[error("the signing key of {server_name} cannot be used: {problem}")]
    Key {
        /// Whose key.
        server_name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Its mail server cannot be used.
    #[error("the mail server of {server_name} cannot be used: {problem}")]
    Mail {
        /// Whose mail server.
        server_name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Its directory of people cannot be used.
    #[error("the directory of {server_name} cannot be used: {problem}")]
    Directory {
        /// Whose directory.
        server_name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Its files cannot be kept.
    #[error("the media directory {} of {server_name} cannot be used: {source}", directory.display())]
    Media {
        /// Whose files.
        server_name: String,
        /// Where they would be.
        directory: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
}

impl Homeserver {
    /// Opens the store and composes the engines. Other homeservers are reached over `network`.
    ///
    /// # Errors
    /// Any [`StartError`].
    pub async fn start(
        config: OrganisationConfig,
        ambient: Ambient,
        network: Arc<dyn Transport>,
    ) -> Result<Self, StartError> {
        Self::start_with_pace(config, ambient, network, None).await
    }

    /// As [`start`](Self::start); the database works when `pace` says so. For simulations.
    ///
    /// # Errors
    /// Any [`StartError`].
    pub async fn start_with_pace(
        config: OrganisationConfig,
        ambient: Ambient,
        network: Arc<dyn Transport>,
        pace: Option<Arc<dyn Pace>>,
    ) -> Result<Self, StartError> {
        let store = open_store(&config, pace).await?;
        let media = open_media(&config, &store, &ambient).await?;
        let organisation = open_organisation(&config, &store, &ambient).await?;
        let failed = |source| StartError::Storage { server_name: config.server_name.to_string(), source };
        organisation.record_pinned().await.map_err(&failed)?;
        let policy = organisation.standing();
        let mut settings = accounts_settings(&config, policy.clone());
        settings.mail = mail_settings(&config, &ambient).map_err(|error| StartError::Mail {
            server_name: config.server_name.to_string(),
            problem: error.to_string(),
        })?;
        settings.directory = people_directory(&config.directory).map_err(|error| StartError::Directory {
            server_name: config.server_name.to_string(),
            problem: error.to_string(),
        })?;
        settings.provider_caller = ProviderCaller::new(Arc::clone(&network));
        let mail_push = mail_push(&config, settings.mail.as_ref());
        let accounts = Accounts::new(store.clone(), ambient.clone(), settings);
        accounts.welcome_services().await.map_err(&failed)?;
        let key = Arc::new(open_key(&config, &store, &ambient).await?);
        let pages = Arc::clone(&network);
        let to_gateways = Arc::clone(&network);
        let (federation, keys) = open_federation(&config, &store, &ambient, &key, network).await?;
        let others = Others { federation, keys: Arc::clone(&keys) as _ };
        let identity = Identity { server_name: config.server_name.clone(), key };
        let settings = room_settings(&config, policy);
        let rooms = Rooms::new(store.clone(), ambient.clone(), identity, others, settings);
        let media = media.reaching(rooms.others().federation.clone());
        let media = match preview_settings(&config.media) {
            Some(settings) => media.previewing(pages, settings),
            None => media,
        };
        let limits = RateLimits::new(&rate_limits(&config.rate_limits), &ambient.clock);
        let view = View::new(store.clone(), ambient.clone());
        let sync = SyncEngine::start(store.clone(), view.clone(), ambient.clone(), sync_settings(&config));
        let outbound = open_outbound(&config, &store, &ambient, &rooms).await?;
        let search = Search::start(store.clone(), ambient.clone(), search_settings(&config));
        let search = search.await.map_err(&failed)?;
        let caller = rooms.others().federation.services();
        let services = ServiceQueries::new(config.application_services.clone(), caller, ambient.clone());
        let transactions = ServiceTransactions::start(store.clone(), ambient.clone(), &services);
        let transactions = transactions.await.map_err(&failed)?;
        let push = open_push(&config, &store, &ambient, to_gateways, mail_push, &sync).await?;
        rooms.resume().await.map_err(&failed)?;
        let federation = rooms.others().federation.clone();
        let e2ee = E2ee::new(store.clone(), ambient.clone(), federation, e2ee_settings(&config));
        e2ee.wake().await.map_err(failed)?;
        e2ee.start_tasks();
        let federation_api = FederationApi {
            e2ee: e2ee.clone(),
            rooms: rooms.clone(),
            accounts: accounts.clone(),
            media: media.clone(),
            sync: sync.clone(),
            outbound: outbound.clone(),
            services: services.clone(),
            answers: Answers::new(store.clone(), ambient.clone()),
            partners: Arc::new(ByRules(config.federation.rules.clone())),
            keys: Arc::new(Notary(keys)),
            ambient: ambient.clone(),
            heavy: Arc::new(Semaphore::new(FederationApi::HEAVY)),
        };
        let api = ClientApi::from(Handles {
            e2ee: e2ee.clone(),
            discovery: Arc::new(config.discovery.clone()),
            organisation: organisation.clone(),
            room_versions: Arc::new(room_versions(&config.rooms)),
            rooms: rooms.clone(),
            view,
            sync: sync.clone(),
            search: search.clone(),
            accounts,
            services,
            limits: Arc::new(limits),
            calls: Arc::new(config.calls.clone()),
            clock: Arc::clone(&ambient.clock),
            bounds: bounds(&config.limits),
            sign_on: config.sign_on.clone().map(Arc::new),
            media: media.clone(),
        });
        let admin_api = AdminApi {
            organisation: organisation.clone(),
            rooms: rooms.clone(),
            accounts: api.accounts.clone(),
        };
        let max_request_bytes = config.limits.max_request_size.as_usize();
        let router = parvis_client_api::router(api, max_request_bytes)
            .merge(parvis_admin_api::router(admin_api, max_request_bytes))
            .merge(parvis_federation_api::router(federation_api, MAX_FEDERATION_BYTES));
        let router = envelope(router, &EnvelopeSettings { telemetry: telemetry(ambient) });
        let passing = pass_on(&sync, outbound.clone(), transactions.clone());
        Ok(Self {
            config: Arc::new(config),
            store,
            media,
            router,
            rooms,
            sync,
            search,
            outbound,
            transactions,
            push,
            passing,
            e2ee,
            organisation,
        })
    }

    /// What it was made from.
    pub fn config(&self) -> &OrganisationConfig {
        &self.config
    }

    /// Its whole HTTP surface.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Whether its database answers.
    pub async fn is_healthy(&self) -> bool {
        self.store.server_key().await.is_ok()
    }

    /// What other servers have not been told.
    pub fn outbound_status(&self) -> OutboundStatus {
        self.outbound.status()
    }

    /// How the index of the search stands.
    pub fn search_status(&self) -> SearchStatus {
        self.search.status()
    }

    /// What phones have not been told; nothing, where they are told nothing.
    pub fn push_status(&self) -> Option<PushStatus> {
        self.push.as_ref().map(Push::status)
    }

    /// Takes notice of what another process has changed of the organisation's policy.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn refresh_policy(&self) -> Result<bool, StorageError> {
        self.organisation.refresh().await
    }

    /// What its rooms have been through since it started.
    pub fn rooms_status(&self) -> RoomsStatus {
        self.rooms.status()
    }

    /// Whether nobody belongs here yet.
    pub async fn is_without_accounts(&self) -> bool {
        self.store.accounts("", 1).await.is_ok_and(|accounts| accounts.is_empty())
    }

    /// Ends what waits for something new, so that running requests come to their end.
    pub fn stop(&self) {
        self.e2ee.close();
        self.sync.close();
        self.media.close();
        self.outbound.stop();
        self.search.stop();
        self.transactions.stop();
        self.push.iter().for_each(Push::stop);
        self.rooms.stop();
        self.passing.abort();
    }

    /// Finishes writing and closes the store. To be called when no request runs any more.
    pub async fn close(self) {
        self.stop();
        let Self {
            store,
            media,
            router,
            rooms,
            sync,
            search,
            outbound,
            transactions,
            push,
            passing,
            e2ee,
            organisation,
            ..
        } = self;
        // It was told to end; that it did is an error of joining, and no other.
        let _ = passing.await;
        outbound.close().await;
        transactions.close().await;
        search.close().await;
        if let Some(push) = push {
            push.close().await;
        }
        rooms.close().await;
        // The engines, and the handlers in the router, hold the store too.
        drop((router, rooms, sync, search, media, outbound, transactions, e2ee, organisation));
        store.close().await;
    }
}

/// One organisation's accounts, without a server around them; and the store that they are in, to be closed in
/// the end. A server may run meanwhile: what changes here is noticed there within a minute.
///
/// # Errors
/// Any [`StartError`].
pub async fn open_accounts(
    config: &OrganisationConfig,
    ambient: Ambient,
) -> Result<(Accounts, Store), StartError> {
    let store = open_store(config, None).await?;
    let policy = open_organisation(config, &store, &ambient).await?.standing();
    Ok((Accounts::new(store.clone(), ambient, accounts_settings(config, policy)), store))
}

/// Why a room of an organisation is encrypted or plain, and where the setting behind that comes from. Without a server
/// around it; one may run meanwhile.
///
/// # Errors
/// Any [`StartError`], or that the room is not known.
pub async fn explain_encryption(
    config: &OrganisationConfig,
    ambient: Ambient,
    room_id: &RoomId,
) -> Result<(EncryptionOfRoom, Source), Box<dyn Error>> {
    let (organisation, store) = open_policy(config, ambient.clone()).await?;
    let key = Arc::new(open_key(config, &store, &ambient).await?);
    let identity = Identity { server_name: config.server_name.clone(), key };
    let others = Others::none(&identity);
    let settings = room_settings(config, organisation.standing());
    let rooms = Rooms::new(store.clone(), ambient, identity, others, settings);
    let explained = rooms.explain_encryption(room_id).await;
    rooms.close().await;
    drop(rooms);
    let explained = explained.map(|encryption| {
        let source = organisation.source(&encryption.stance.setting.name);
        (encryption, source)
    });
    drop(organisation);
    store.close().await;
    Ok(explained?)
}

/// Has an organisation's store begin anew after it was restored from a backup: what may have been given to others
/// since is void. No server may run meanwhile.
///
/// # Errors
/// Any [`StartError`].
pub async fn begin_after_restore(config: &OrganisationConfig, ambient: &Ambient) -> Result<(), StartError> {
    let store = open_store(config, None).await?;
    let mut set = WriteSet::new();
    set.begin_after_restore(ambient.now().millis());
    let written = store.commit(set).await;
    store.close().await;
    let failed = |error: CommitError| StartError::Storage {
        server_name: config.server_name.to_string(),
        source: match error {
            CommitError::Storage(error) => error,
            other => StorageError::Corrupt(other.to_string()),
        },
    };
    written.map(drop).map_err(failed)
}

/// The public key that an organisation signs with, in unpadded base64; made if it has none yet.
///
/// # Errors
/// Any [`StartError`].
pub async fn own_public_key(config: &OrganisationConfig, ambient: &Ambient) -> Result<String, StartError> {
    let store = open_store(config, None).await?;
    let key = open_key(config, &store, ambient).await;
    store.close().await;
    Ok(key?.public_key_base64())
}

async fn open_store(config: &OrganisationConfig, pace: Option<Arc<dyn Pace>>) -> Result<Store, StartError> {
    let settings = StoreSettings { database: database(&config.storage), cache_bytes: config.cache_bytes };
    let server_name = || config.server_name.to_string();
    let opened = Store::open_with_pace(&settings, pace).await;
    opened.map_err(|source| StartError::Storage { server_name: server_name(), source })
}

async fn open_organisation(
    config: &OrganisationConfig,
    store: &Store,
    ambient: &Ambient,
) -> Result<Organisation, StartError> {
    let opened = Organisation::open(store.clone(), ambient.clone(), config.policy.clone()).await;
    opened.map_err(|source| StartError::Storage { server_name: config.server_name.to_string(), source })
}

/// One organisation's policy, without a server around it; and the store that it is in, to be closed in the end. A
/// server may run meanwhile: what changes here holds there within a second or two.
///
/// # Errors
/// Any [`StartError`].
pub async fn open_policy(
    config: &OrganisationConfig,
    ambient: Ambient,
) -> Result<(Organisation, Store), StartError> {
    let store = open_store(config, None).await?;
    let organisation = open_organisation(config, &store, &ambient).await?;
    Ok((organisation, store))
}

/// What is asked of other servers, over the network as far as the organisation uses it, and their keys.
async fn open_federation(
    config: &OrganisationConfig,
    store: &Store,
    ambient: &Ambient,
    key: &Arc<ServerKey>,
    network: Arc<dyn Transport>,
) -> Result<(Federation, Arc<KeyRing>), StartError> {
    let name = config.server_name.clone();
    let failed = |source| StartError::Storage { server_name: config.server_name.to_string(), source };
    let network = guarded(config, store, ambient, network).await.map_err(failed)?;
    let federation = Federation::new(name, Arc::clone(key), network);
    let notaries = config.federation.trusted_notaries.clone();
    let (store, ambient) = (store.clone(), ambient.clone());
    let keys = KeyRing::open(federation.clone(), Arc::clone(key), notaries, store, ambient).await;
    Ok((federation, Arc::new(keys.map_err(failed)?)))
}

async fn open_key(
    config: &OrganisationConfig,
    store: &Store,
    ambient: &Ambient,
) -> Result<ServerKey, StartError> {
    let server_name = || config.server_name.to_string();
    let key = server_key(store, ambient).await;
    key.map_err(|problem| StartError::Key { server_name: server_name(), problem })
}

/// The key that this server signs with, made when it starts for the first time.
async fn server_key(store: &Store, ambient: &Ambient) -> Result<ServerKey, String> {
    let stored = store.server_key().await.map_err(|error| error.to_string())?;
    if let Some((key_id, secret)) = stored {
        let version = key_id.strip_prefix("ed25519:").unwrap_or(&key_id);
        return ServerKey::from_bytes(&secret, version).map_err(|error| error.to_string());
    }
    let mut seed = [0; 32];
    ambient.chance.fill(&mut seed);
    let key = ServerKey::generate(seed, &ambient.chance.text(6)).map_err(|error| error.to_string())?;
    let added = store.add_server_key(key.key_id(), &key.to_bytes(), ambient.now().millis()).await;
    added.map_err(|error| error.to_string())?;
    Ok(key)
}

async fn open_outbound(
    config: &OrganisationConfig,
    store: &Store,
    ambient: &Ambient,
    rooms: &Rooms,
) -> Result<Outbound, StartError> {
    let federation = rooms.others().federation.clone();
    let started = Outbound::start(store.clone(), ambient.clone(), federation).await;
    let server_name = || config.server_name.to_string();
    started.map_err(|source| StartError::Storage { server_name: server_name(), source })
}

async fn open_push(
    config: &OrganisationConfig,
    store: &Store,
    ambient: &Ambient,
    network: Arc<dyn Transport>,
    mail: Option<MailPush>,
    sync: &SyncEngine,
) -> Result<Option<Push>, StartError> {
    if !config.push.rules.enabled {
        return Ok(None);
    }
    let attention = Arc::new(BySync { notices: sync.notices(), badge: config.push.badge });
    let settings = PushSettings { rules: config.push.rules.clone(), mail };
    let started = Push::start(store.clone(), ambient.clone(), network, attention, settings).await;
    let server_name = || config.server_name.to_string();
    let failed = |source| StartError::Storage { server_name: server_name(), source };
    started.map(Some).map_err(failed)
}

async fn open_media(
    config: &OrganisationConfig,
    store: &Store,
    ambient: &Ambient,
) -> Result<Media, StartError> {
    let settings = media_settings(&config.media);
    let opened = Media::open(settings, store.clone(), ambient.clone(), config.server_name.clone()).await;
    opened.map_err(|source| StartError::Media {
        server_name: config.server_name.to_string(),
        directory: config.media.directory.clone(),
        source,
    })
}

/// What is decided about previews, where there are any.
fn preview_settings(config: &MediaConfig) -> Option<PreviewSettings> {
    let settings = config.settings.url_previews.clone();
    settings.enabled.then(|| PreviewSettings {
        denied_hosts: settings.denied_hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
        languages: settings.languages,
        max_picture_bytes: settings.max_picture_size.as_usize(),
    })
}

fn media_settings(config: &MediaConfig) -> MediaSettings {
    let settings = &config.settings;
    MediaSettings {
        max_upload_bytes: settings.max_upload_size.0,
        open_before: settings.unauthenticated_before_ms.map(Timestamp),
        max_image_pixels: settings.max_image_pixels,
        max_thumbnail_width: settings.max_thumbnail_width,
        max_thumbnail_height: settings.max_thumbnail_height,
        image_workers: usize::try_from(settings.image_workers).unwrap_or(usize::MAX),
        ..MediaSettings::in_directory(&config.directory)
    }
}

fn database(config: &StorageConfig) -> DatabaseSettings {
    match config {
        StorageConfig::Sqlite { path, readers, synchronous } => DatabaseSettings::Sqlite {
            path: path.clone(),
            readers: *readers,
            relaxed_durability: *synchronous == SqliteSynchronous::Normal,
        },
        StorageConfig::Postgres { url, connections } => {
            DatabaseSettings::Postgres { url: url.reveal().to_owned(), connections: *connections }
        }
    }
}

/// The length of request ids: 16 letters and digits, 95 bits.
const REQUEST_ID_LENGTH: usize = 16;

#[expect(clippy::disallowed_methods, reason = "durations for logs and metrics, on which nothing depends")]
fn telemetry(ambient: Ambient) -> Telemetry {
    let start = Instant::now();
    Telemetry {
        new_request_id: Arc::new(move || ambient.chance.text(REQUEST_ID_LENGTH)),
        elapsed: Arc::new(move || start.elapsed()),
    }
}
