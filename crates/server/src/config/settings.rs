//! The settings as an operator writes them, with their defaults.
//!
//! Each section is a flat table, so that every key is known from the defaults alone. What a value means for
//! others is for `check`.

use std::path::PathBuf;

use parvis_policy::{
    Settings as PolicySettings,
    encryption::{EncryptedElsewhere, Exception, Level, Role, StripFor, WhoMayTurnOn},
    federation::FederationMode,
    push::{MailContent, PushContent, PushRules},
};
use serde::{Deserialize, Serialize};

use super::{
    calls::CallSettings,
    directory::DirectorySettings,
    human::{ByteSize, HumanDuration, Listen, Network, VersionName},
    people::{AccountSettings, MailSettings, RegistrationSettings},
    secret::Secret,
    sign_on::SignOnSettings,
};

/// The whole configuration. The example file documents each key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the sections are documented in their types")]
pub struct Settings {
    pub server: ServerSettings,
    pub well_known: WellKnownSettings,
    pub listeners: ListenerSettings,
    pub storage: StorageSettings,
    pub media: MediaSettings,
    pub registration: RegistrationSettings,
    pub accounts: AccountSettings,
    pub sign_on: SignOnSettings,
    pub directory: DirectorySettings,
    pub mail: MailSettings,
    pub rooms: RoomSettings,
    pub encryption: EncryptionPins,
    pub presence: PresenceSettings,
    pub calls: CallSettings,
    pub search: SearchSettings,
    pub application_services: ApplicationServiceSettings,
    pub federation: FederationSettings,
    pub push: PushSettings,
    pub rate_limits: RateLimitSettings,
    pub limits: LimitSettings,
    pub logging: LoggingSettings,
}

/// What the configuration pins of the organisation's policy on encryption: what is set here cannot be changed
/// elsewhere. The keys mean what they mean in the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EncryptionPins {
    pub direct: Option<Level>,
    pub direct_with_partner: Option<Level>,
    pub private: Option<Level>,
    pub private_with_outsiders: Option<Level>,
    pub public: Option<Level>,
    pub space: Option<Level>,
    pub who_may_turn_on: Option<WhoMayTurnOn>,
    pub strip_for: Option<StripFor>,
    pub roles: Option<Vec<Role>>,
    pub exceptions: Option<Vec<Exception>>,
    pub encrypted_elsewhere: Option<EncryptedElsewhere>,
    pub silence_backup_prompts: Option<bool>,
}

impl EncryptionPins {
    /// The settings that are set, by the names that they have in the policy.
    pub fn settings(&self) -> PolicySettings {
        let Ok(serde_json::Value::Object(keys)) = serde_json::to_value(self) else {
            return PolicySettings::new();
        };
        let set = keys.into_iter().filter(|(_, value)| !value.is_null());
        set.map(|(key, value)| (format!("encryption.{key}"), value)).collect()
    }
}

/// The organisation's names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// The server name: what follows the colon in user ids. It can never be changed.
    pub name: String,
    /// Further host names under which this organisation is asked.
    pub host_names: Vec<String>,
    /// The URL at which clients reach the server.
    pub public_base_url: Option<String>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self { name: "localhost".to_owned(), host_names: Vec::new(), public_base_url: None }
    }
}

/// What the documents under `/.well-known/matrix` say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WellKnownSettings {
    /// Where other servers reach this one, if not at its name.
    pub federation_address: Option<String>,
    /// A page with help.
    pub support_page: Option<String>,
    /// Whom to ask for help.
    pub support_contacts: Vec<SupportContact>,
    /// Whether clients are told to lay by devices.
    pub dehydrated_devices: bool,
}

/// Somebody to ask for help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupportContact {
    /// What for: `m.role.admin` or `m.role.security`.
    pub role: String,
    /// A Matrix user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix_id: Option<String>,
    /// An e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_address: Option<String>,
}

/// Where the process listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenerSettings {
    /// For clients, without TLS.
    pub client: Listen,
    /// For clients and other servers, with TLS.
    pub tls: Listen,
    /// For other servers, with TLS, at a second address.
    pub federation: Listen,
    /// The certificate chain, in PEM.
    pub tls_certificate_file: Option<PathBuf>,
    /// The private key, in PEM.
    pub tls_key_file: Option<PathBuf>,
    /// For Prometheus.
    pub metrics: Listen,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// How many connections there may be at the same time.
    pub max_connections: usize,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        let address = |bytes: [u8; 4], port| Listen(Some((bytes, port).into()));
        let loopback = ["127.0.0.1", "::1"].map(|address| address.parse().ok());
        Self {
            client: address([127, 0, 0, 1], 8008),
            tls: Listen(None),
            federation: Listen(None),
            tls_certificate_file: None,
            tls_key_file: None,
            metrics: Listen(None),
            trusted_proxies: loopback.into_iter().flatten().collect(),
            max_connections: 10_000,
        }
    }
}

/// Which database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StorageEngine {
    /// Embedded, in a file.
    #[default]
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

/// Where the data is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageSettings {
    /// Which database.
    pub engine: StorageEngine,
    /// How much of it is kept in memory, about.
    pub cache_size: ByteSize,
    /// For the engine `sqlite`.
    pub sqlite: SqliteSettings,
    /// For the engine `postgres`.
    pub postgres: PostgresSettings,
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self {
            engine: StorageEngine::default(),
            cache_size: ByteSize::mebibytes(256),
            sqlite: SqliteSettings::default(),
            postgres: PostgresSettings::default(),
        }
    }
}

/// When SQLite waits for the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SqliteSynchronous {
    /// At every commit: what was answered is never lost.
    #[default]
    Full,
    /// At times: a power failure may lose the last moments, though never the database.
    Normal,
}

/// The engine `sqlite`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqliteSettings {
    /// The database's file.
    pub path: Option<PathBuf>,
    /// How many connections read.
    pub readers: u32,
    /// When to wait for the disk.
    pub synchronous: SqliteSynchronous,
}

impl Default for SqliteSettings {
    fn default() -> Self {
        Self { path: None, readers: 4, synchronous: SqliteSynchronous::default() }
    }
}

/// The engine `postgres`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresSettings {
    /// `postgres://user:password@host/database`.
    pub url: Option<Secret>,
    /// How many connections are open at most.
    pub connections: u32,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self { url: None, connections: 16 }
    }
}

/// Files that users send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MediaSettings {
    /// Where the files are.
    pub directory: Option<PathBuf>,
    /// The largest file.
    pub max_upload_size: ByteSize,
    /// The largest image, in pixels, of which thumbnails are made.
    pub max_image_pixels: u64,
    /// The widest thumbnail, in pixels.
    pub max_thumbnail_width: u32,
    /// The highest thumbnail, in pixels.
    pub max_thumbnail_height: u32,
    /// How many images are worked on at a time.
    pub image_workers: u32,
    /// Files stored before this time, in milliseconds since the Unix epoch, are given to anyone who knows their
    /// address, as the specification had it once.
    pub unauthenticated_before_ms: Option<i64>,
    /// Previews of pages that users link to.
    pub url_previews: UrlPreviewSettings,
}

/// Previews of pages that users link to: the server fetches them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UrlPreviewSettings {
    /// Whether there are any.
    pub enabled: bool,
    /// Hosts of whose pages there are none, with all that lie below them.
    pub denied_hosts: Vec<String>,
    /// The languages that pages are asked for where the client names none, as `Accept-Language` has them.
    pub languages: String,
    /// The largest picture.
    pub max_picture_size: ByteSize,
    /// Networks that are not on the public Internet and whose pages may be fetched nevertheless.
    pub allowed_private_ranges: Vec<Network>,
}

impl Default for UrlPreviewSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            denied_hosts: Vec::new(),
            languages: String::new(),
            max_picture_size: ByteSize::mebibytes(10),
            allowed_private_ranges: Vec::new(),
        }
    }
}

impl Default for MediaSettings {
    fn default() -> Self {
        Self {
            directory: None,
            max_upload_size: ByteSize::mebibytes(50),
            max_image_pixels: 50_000_000,
            max_thumbnail_width: 1600,
            max_thumbnail_height: 1200,
            image_workers: 2,
            unauthenticated_before_ms: None,
            url_previews: UrlPreviewSettings::default(),
        }
    }
}

/// What new rooms are like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomSettings {
    /// The version of new rooms.
    pub default_version: VersionName,
    /// The versions in which rooms may be made; those of proposals may also be entered then.
    pub allowed_versions: Vec<VersionName>,
    /// Whether rooms of versions 3 to 5 on other servers may be joined. Those of versions 1 and 2 never may.
    pub join_old_versions: bool,
}

impl Default for RoomSettings {
    fn default() -> Self {
        let allowed_versions = (6..=12).map(|version: u8| VersionName(version.to_string())).collect();
        let default_version = VersionName("12".to_owned());
        Self { default_version, allowed_versions, join_old_versions: false }
    }
}

/// How far presence goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PresenceMode {
    /// Nobody sees anybody's.
    Off,
    /// The organisation's users see each other's.
    #[default]
    Local,
    /// Other servers see it too.
    On,
}

/// Who sees who is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PresenceSettings {
    /// How far presence goes.
    pub mode: PresenceMode,
}

/// How what was said is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchSettings {
    /// The languages of which the forms of words are known: `fr`, `de`, `it`, `en`.
    pub languages: Vec<String>,
}

impl Default for SearchSettings {
    fn default() -> Self {
        Self { languages: ["fr", "de", "it", "en"].map(str::to_owned).to_vec() }
    }
}

/// Bridges and bots that act for many users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApplicationServiceSettings {
    /// Their registration files.
    pub registration_files: Vec<PathBuf>,
    /// A directory with more of them.
    pub registration_directory: Option<PathBuf>,
}

/// With which other servers the organisation speaks, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FederationSettings {
    /// With whom. Unset, with everybody; with nobody for the server name `localhost`.
    pub mode: Option<FederationMode>,
    /// The servers to speak with in the mode `partners`; `*` and `?` stand for letters.
    pub partners: Vec<String>,
    /// The servers never to speak with.
    pub denied: Vec<String>,
    /// Addresses outside of the public Internet at which other servers may be.
    pub allowed_private_ranges: Vec<Network>,
    /// Files in PEM of authorities that are believed besides the machine's.
    pub extra_root_certificates: Vec<PathBuf>,
    /// Servers that are believed when they vouch for the keys of others.
    pub trusted_notaries: Vec<String>,
    /// How long making a connection may take.
    pub connect_timeout: HumanDuration,
    /// Whether other servers are told what people call their devices.
    pub share_device_names: bool,
}

impl Default for FederationSettings {
    fn default() -> Self {
        Self {
            mode: None,
            partners: Vec::new(),
            denied: Vec::new(),
            allowed_private_ranges: Vec::new(),
            extra_root_certificates: Vec::new(),
            trusted_notaries: Vec::new(),
            connect_timeout: HumanDuration::seconds(10),
            share_device_names: false,
        }
    }
}

/// What users' phones are told, and through whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PushSettings {
    /// Whether phones are told anything.
    pub enabled: bool,
    /// The hosts of the push gateways that may be told; `*` and `?` stand for letters.
    pub gateways: Vec<String>,
    /// How much of an event they are told.
    pub content: PushContent,
    /// What the number on an app's icon counts.
    pub badge: PushBadge,
    /// How much mails of missed messages say, for those who want such mails.
    pub mail: MailContent,
    /// How long a message is unread before it comes into a mail.
    pub mail_delay: HumanDuration,
    /// How long after such a mail there is no other for the same address.
    pub mail_pause: HumanDuration,
    /// Addresses outside of the public Internet at which push gateways may be.
    pub allowed_private_ranges: Vec<Network>,
}

/// What the number on an app's icon counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushBadge {
    /// Unread messages that notify.
    #[default]
    Messages,
    /// Rooms in which there are any.
    Rooms,
}

impl Default for PushSettings {
    fn default() -> Self {
        let PushRules { enabled, gateways, content, mail, .. } = PushRules::default();
        let (badge, allowed_private_ranges) = (PushBadge::default(), Vec::new());
        let (mail_delay, mail_pause) = (HumanDuration::seconds(600), HumanDuration::seconds(3_600));
        Self { enabled, gateways, content, badge, mail, mail_delay, mail_pause, allowed_private_ranges }
    }
}

/// How often something may be done, in the long run and at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// How often per second in the long run; 0 is without limit.
    pub per_second: f64,
    /// How often at once.
    pub burst: u32,
}

/// Limits for those who ask too often.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimitSettings {
    /// Logins, per address and per account.
    pub login: RateLimit,
    /// Registrations, per address.
    pub registration: RateLimit,
    /// Messages and state, per user.
    pub messages: RateLimit,
    /// Joins, per user.
    pub joins: RateLimit,
    /// Invites, per user.
    pub invites: RateLimit,
    /// Reports to the administrators, per user.
    pub reports: RateLimit,
    /// Mails that somebody has sent, per address from which they ask and per address of mail.
    pub mails: RateLimit,
    /// Searches, per user.
    pub searches: RateLimit,
}

impl Default for RateLimitSettings {
    fn default() -> Self {
        let rate = |per_second, burst| RateLimit { per_second, burst };
        Self {
            login: rate(0.2, 20),
            registration: rate(0.05, 5),
            messages: rate(10.0, 100),
            joins: rate(1.0, 50),
            invites: rate(1.0, 50),
            reports: rate(0.1, 20),
            mails: rate(0.02, 5),
            searches: rate(2.0, 30),
        }
    }
}

/// Bounds on what one request may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// The largest JSON body of a request.
    pub max_request_size: ByteSize,
    /// The most events per room in an answer to a sync.
    pub max_sync_timeline_events: u32,
    /// The longest that a sync waits for something new.
    pub max_sync_wait: HumanDuration,
    /// The most events in a page of history.
    pub max_messages_page: u32,
    /// How long running requests are waited for when the server stops.
    pub shutdown_grace: HumanDuration,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            max_request_size: ByteSize::mebibytes(10),
            max_sync_timeline_events: 100,
            max_sync_wait: HumanDuration::seconds(300),
            max_messages_page: 1000,
            shutdown_grace: HumanDuration::seconds(10),
        }
    }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoggingSettings {
    /// A level, or a filter such as `info,parvis_rooms=debug`.
    pub level: String,
    /// How logs are written.
    pub format: LogFormat,
}

impl Default for LoggingSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::default() }
    }
}
