//! Judging the settings as a whole: what is missing, contradictory or dangerous.
//!
//! What passes becomes a [`Config`], in types that cannot hold the wrong combinations.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use parvis_accounts::IdentityProvider;
use parvis_application_services::ApplicationServices;
use parvis_client_api::{Calls, Discovery, SignOn};
use parvis_events::RoomVersion;
use parvis_policy::{
    Settings as PolicySettings,
    federation::{FederationMode, FederationRules},
    push::PushRules,
};
use parvis_search::Language;
use ruma::{
    OwnedServerName, RoomVersionId, ServerName,
    api::client::discovery::discover_support::{Contact, ContactRole},
};

use super::sign_on;
use super::{
    application_services::{self, RegistrationFiles},
    directory::DirectorySettings,
    human::{Network, VersionName},
    people::{AccountSettings, MailConfig, RegistrationSettings, accounts, entry, mail, registration},
    problem::Problem,
    secret::Secret,
    settings::{
        FederationSettings, LimitSettings, LoggingSettings, MediaSettings, PresenceMode, PushBadge,
        PushSettings, RateLimit, RateLimitSettings, RoomSettings, SearchSettings, Settings,
        SqliteSynchronous, StorageEngine, StorageSettings, WellKnownSettings,
    },
};

/// The server name under which a development organisation runs, and no public one.
const DEVELOPMENT_NAME: &str = "localhost";
const DEVELOPMENT_DATABASE: &str = "data/parvis.db";
const DEVELOPMENT_MEDIA: &str = "data/media";

/// In place of a host name: any that no other organisation has.
pub(crate) const ANY_HOST: &str = "*";

/// An event of 64 KiB and what surrounds it must fit into a request.
const SMALLEST_REQUEST_LIMIT_BYTES: u64 = 128 << 10;

/// Longer waits end in proxies and phones anyway.
const LONGEST_SYNC_WAIT: Duration = Duration::from_secs(300);

/// What the program runs with.
#[derive(Clone, Debug)]
pub struct Config {
    /// What concerns the whole process.
    pub process: ProcessConfig,
    /// The organisations that the process serves; one at least.
    pub organisations: Vec<OrganisationConfig>,
}

/// What concerns the whole process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessConfig {
    /// Where clients are listened for without TLS.
    pub client_address: Option<SocketAddr>,
    /// Where clients and other servers are listened for with TLS.
    pub tls_address: Option<SocketAddr>,
    /// Where other servers are listened for with TLS besides.
    pub federation_address: Option<SocketAddr>,
    /// The certificate; where one of the two addresses is set.
    pub certificate: Option<CertificateFiles>,
    /// Where Prometheus is listened for.
    pub metrics_address: Option<SocketAddr>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// How many connections there may be at the same time, at all listeners but that for metrics.
    pub max_connections: usize,
    /// What is logged, and how.
    pub logging: LoggingSettings,
    /// How long running requests are waited for when the process stops.
    pub shutdown_grace: Duration,
}

/// With what listeners prove who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate chain, in PEM.
    pub certificate_file: PathBuf,
    /// The private key, in PEM.
    pub key_file: PathBuf,
}

/// With which other servers an organisation speaks, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FederationConfig {
    /// With whom.
    pub rules: FederationRules,
    /// Addresses outside of the public Internet at which other servers may be.
    pub allowed_private_ranges: Vec<Network>,
    /// Files of authorities that are believed besides the machine's.
    pub extra_root_certificates: Vec<PathBuf>,
    /// Servers that are believed when they vouch for the keys of others.
    pub trusted_notaries: Vec<OwnedServerName>,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// Whether other servers are told what people call their devices.
    pub share_device_names: bool,
}

/// What phones are told, and through whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushConfig {
    /// To which gateways, and how much.
    pub rules: PushRules,
    /// What the number on an app's icon counts.
    pub badge: PushBadge,
    /// How long a message is unread before it comes into a mail.
    pub mail_delay: Duration,
    /// How long after such a mail there is no other for the same address.
    pub mail_pause: Duration,
    /// Addresses outside of the public Internet at which gateways may be.
    pub allowed_private_ranges: Vec<Network>,
}

/// One organisation.
#[derive(Clone, Debug)]
pub struct OrganisationConfig {
    /// The server name.
    pub server_name: OwnedServerName,
    /// Whether this is the development organisation, which answers to every host name.
    pub development: bool,
    /// The host names that it answers to, in small letters, without ports.
    pub host_names: Vec<String>,
    /// What clients and servers are told before anything else.
    pub discovery: Discovery,
    /// Where the data is.
    pub storage: StorageConfig,
    /// How much of the data is kept in memory, in bytes.
    pub cache_bytes: u64,
    /// Files that users send.
    pub media: MediaConfig,
    /// Who may register.
    pub registration: RegistrationConfig,
    /// What those who register must accept, whether they prove an address, and whether there are guests.
    pub entry: RegistrationSettings,
    /// Passwords and sessions.
    pub accounts: AccountSettings,
    /// The organisation's directory of its people.
    pub directory: DirectorySettings,
    /// How mails are sent, if any are.
    pub mail: Option<MailConfig>,
    /// How people sign in with their browsers, if they do.
    pub sign_on: Option<SignOn>,
    /// Where its people can prove who they are.
    pub providers: Vec<IdentityProvider>,
    /// What new rooms are like.
    pub rooms: RoomsConfig,
    /// Whether apps may call one another directly.
    pub calls_between_apps: bool,
    /// What apps are told for calls.
    pub calls: Calls,
    /// What it pins of the organisation's policy.
    pub policy: PolicySettings,
    /// How far presence goes.
    pub presence: PresenceMode,
    /// The languages of which the search knows the forms of words.
    pub search_languages: Vec<Language>,
    /// Its application services.
    pub application_services: ApplicationServices,
    /// With which other servers it speaks.
    pub federation: FederationConfig,
    /// What phones are told, and through whom.
    pub push: PushConfig,
    /// Limits for those who ask too often.
    pub rate_limits: RateLimitSettings,
    /// Bounds on what one request may take.
    pub limits: LimitSettings,
}

/// Where the data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageConfig {
    /// In a file.
    Sqlite {
        /// The file.
        path: PathBuf,
        /// How many connections read.
        readers: u32,
        /// When to wait for the disk.
        synchronous: SqliteSynchronous,
    },
    /// In a PostgreSQL server.
    Postgres {
        /// Which, and as whom.
        url: Secret,
        /// How many connections are open at most.
        connections: u32,
    },
}

/// Files that users send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaConfig {
    /// Where the files are.
    pub directory: PathBuf,
    /// The limits, as set.
    pub settings: MediaSettings,
}

/// Who may register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistrationConfig {
    /// Nobody.
    Closed,
    /// Whoever has one of these tokens.
    Token(Vec<Secret>),
    /// Anyone.
    Open,
}

/// What new rooms are like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomsConfig {
    /// The version of new rooms, one of those allowed.
    pub default_version: RoomVersionId,
    /// The versions in which rooms may be made.
    pub allowed_versions: Vec<RoomVersionId>,
    /// Whether rooms of versions 3 to 5 on other servers may be joined.
    pub join_old_versions: bool,
}

/// Collects problems while the settings are gone through.
pub(super) struct Checker<'a> {
    origin_of: &'a dyn Fn(&str) -> String,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    pub(super) fn problem(&mut self, key: &str, reason: impl Into<String>) {
        let origin = (self.origin_of)(key);
        self.problems.push(Problem { key: key.to_owned(), origin, reason: reason.into(), nearest: None });
    }

    pub(super) fn require(&mut self, holds: bool, key: &str, reason: &str) {
        if !holds {
            self.problem(key, reason);
        }
    }
}

/// Turns settings into what the program runs with, or says all that is wrong with them. `origin_of` tells
/// where a key's value comes from.
pub(super) fn check(settings: &Settings, origin_of: impl Fn(&str) -> String) -> Result<Config, Vec<Problem>> {
    let mut checker = Checker { origin_of: &origin_of, problems: Vec::new() };
    let process = process(settings, &mut checker);
    let organisation = organisation(settings, &mut checker);
    match (organisation, checker.problems) {
        (Some(organisation), problems) if problems.is_empty() => {
            Ok(Config { process, organisations: vec![organisation] })
        }
        (_, problems) => Err(problems),
    }
}

fn process(settings: &Settings, checker: &mut Checker<'_>) -> ProcessConfig {
    let listeners = &settings.listeners;
    let addresses = [
        ("listeners.client", listeners.client.0),
        ("listeners.tls", listeners.tls.0),
        ("listeners.federation", listeners.federation.0),
        ("listeners.metrics", listeners.metrics.0),
    ];
    for (index, (key, address)) in addresses.iter().enumerate() {
        let taken = address.is_some() && addresses[..index].iter().any(|(_, other)| other == address);
        checker.require(!taken, key, "another listener has this address already");
    }
    let listens = listeners.client.0.is_some() || listeners.tls.0.is_some();
    checker.require(listeners.max_connections > 0, "listeners.max_connections", "must be one at least");
    checker.require(listens, "listeners.client", "is off, and so is listeners.tls: nobody could connect");
    let level = &settings.logging.level;
    if let Err(error) = level.parse::<tracing_subscriber::filter::Targets>() {
        checker.problem("logging.level", format!("`{level}` is not a level or filter: {error}"));
    }
    ProcessConfig {
        client_address: listeners.client.0,
        tls_address: listeners.tls.0,
        federation_address: listeners.federation.0,
        certificate: certificate(settings, checker),
        metrics_address: listeners.metrics.0,
        trusted_proxies: listeners.trusted_proxies.clone(),
        max_connections: listeners.max_connections,
        logging: settings.logging.clone(),
        shutdown_grace: settings.limits.shutdown_grace.0,
    }
}

fn certificate(settings: &Settings, checker: &mut Checker<'_>) -> Option<CertificateFiles> {
    let listeners = &settings.listeners;
    let files = [
        ("listeners.tls_certificate_file", &listeners.tls_certificate_file),
        ("listeners.tls_key_file", &listeners.tls_key_file),
    ];
    let address = match (listeners.tls.0, listeners.federation.0) {
        (Some(_), _) => "listeners.tls",
        (None, Some(_)) => "listeners.federation",
        (None, None) => {
            for (key, file) in files {
                let reason = "has no effect while listeners.tls and listeners.federation are off";
                checker.require(file.is_none(), key, reason);
            }
            return None;
        }
    };
    for (key, file) in files {
        match file {
            Some(file) => checker.require(file.is_file(), key, "there is no such file"),
            None => checker.problem(key, format!("must be set, since {address} is an address")),
        }
    }
    Some(CertificateFiles {
        certificate_file: listeners.tls_certificate_file.clone()?,
        key_file: listeners.tls_key_file.clone()?,
    })
}

fn organisation(settings: &Settings, checker: &mut Checker<'_>) -> Option<OrganisationConfig> {
    let server_name = match ServerName::parse(&settings.server.name) {
        Ok(server_name) => Some(server_name),
        Err(error) => {
            checker.problem("server.name", format!("is not a server name: {error}"));
            None
        }
    };
    let development = server_name.as_ref().is_some_and(|name| name.host() == DEVELOPMENT_NAME);
    let base_url = public_base_url(settings, development, checker);
    let host_names = host_names(settings, server_name.as_deref(), base_url.as_deref(), development, checker);
    let discovery = discovery(&settings.well_known, base_url, checker);
    let storage = storage(&settings.storage, development, checker);
    let media = media(&settings.media, development, checker);
    let registration = registration(&settings.registration, checker);
    let mail = mail(&settings.mail, checker);
    let sign_on = sign_on::check(settings, development, checker);
    settings.directory.check(checker);
    let providers = sign_on::providers(&settings.sign_on, checker);
    entry(settings, checker);
    let rooms = rooms(&settings.rooms, checker);
    let federation = federation(&settings.federation, development, checker);
    let services = application_services(settings, server_name.as_deref(), checker);
    let push = push(&settings.push, checker);
    let calls = settings.calls.check(checker);
    accounts(&settings.accounts, checker);
    rate_limits(&settings.rate_limits, checker);
    limits(&settings.limits, checker);
    Some(OrganisationConfig {
        server_name: server_name?,
        development,
        host_names,
        discovery: discovery?,
        storage: storage?,
        cache_bytes: settings.storage.cache_size.0,
        media: media?,
        registration,
        entry: settings.registration.clone(),
        accounts: settings.accounts.clone(),
        directory: settings.directory.clone(),
        mail,
        sign_on,
        providers,
        rooms: rooms?,
        calls_between_apps: settings.calls.between_apps,
        calls,
        policy: settings.encryption.settings(),
        presence: settings.presence.mode,
        search_languages: search_languages(&settings.search, checker),
        application_services: services?,
        federation,
        push,
        rate_limits: settings.rate_limits,
        limits: settings.limits.clone(),
    })
}

fn public_base_url(settings: &Settings, development: bool, checker: &mut Checker<'_>) -> Option<String> {
    const KEY: &str = "server.public_base_url";
    let Some(url) = &settings.server.public_base_url else {
        let address = settings.listeners.client.0.filter(|_| development);
        return Some(match address {
            Some(address) => format!("http://localhost:{}", address.port()),
            None => format!("https://{}", settings.server.name),
        });
    };
    let scheme = url.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"));
    let host = host_of_url(url);
    if scheme.is_none() || host.is_none_or(str::is_empty) || url.contains(['?', '#', ' ']) {
        checker.problem(KEY, "must be a URL such as \"https://matrix.example.org\"");
        return None;
    }
    Some(url.trim_end_matches('/').to_owned())
}

/// The host of a URL, without the port.
fn host_of_url(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    Some(without_port(rest.split('/').next()?))
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn host_names(
    settings: &Settings,
    server_name: Option<&ServerName>,
    base_url: Option<&str>,
    development: bool,
    checker: &mut Checker<'_>,
) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let own = server_name.map(ServerName::host);
    let own = own.into_iter().chain(base_url.and_then(host_of_url));
    for name in own.chain(settings.server.host_names.iter().map(String::as_str)) {
        let name = name.to_ascii_lowercase();
        let is_host = ServerName::parse(&name).is_ok_and(|parsed| parsed.port().is_none());
        if is_host || name == ANY_HOST {
            if !names.contains(&name) {
                names.push(name);
            }
        } else {
            checker.problem("server.host_names", format!("`{name}` is not a host name without a port"));
        }
    }
    // Whoever develops asks under any name: localhost, 127.0.0.1, the machine's.
    if development && !names.iter().any(|name| name == ANY_HOST) {
        names.push(ANY_HOST.to_owned());
    }
    names
}

fn discovery(
    settings: &WellKnownSettings,
    base_url: Option<String>,
    checker: &mut Checker<'_>,
) -> Option<Discovery> {
    let mut support_contacts = Vec::new();
    for contact in &settings.support_contacts {
        let role = ContactRole::from(contact.role.as_str());
        let mut contact_out = Contact::with_email_address(role, String::new());
        contact_out.email_address.clone_from(&contact.email_address);
        if let Some(matrix_id) = &contact.matrix_id {
            match ruma::UserId::parse(matrix_id) {
                Ok(user_id) => contact_out.matrix_id = Some(user_id),
                Err(_) => {
                    checker.problem("well_known.support_contacts", format!("`{matrix_id}` is not a user id"))
                }
            }
        }
        let reachable = contact.email_address.is_some() || contact.matrix_id.is_some();
        checker.require(
            reachable,
            "well_known.support_contacts",
            "a contact needs a matrix_id or an email_address",
        );
        support_contacts.push(contact_out);
    }
    if let Some(address) = &settings.federation_address
        && ServerName::parse(address).is_err()
    {
        checker.problem("well_known.federation_address", "must be a host name, with or without a port");
    }
    Some(Discovery {
        public_base_url: base_url?,
        federation_address: settings.federation_address.clone(),
        support_contacts,
        support_page: settings.support_page.clone(),
        dehydrated_devices: settings.dehydrated_devices,
    })
}

fn storage(
    settings: &StorageSettings,
    development: bool,
    checker: &mut Checker<'_>,
) -> Option<StorageConfig> {
    match settings.engine {
        StorageEngine::Sqlite => {
            checker.require(
                settings.postgres.url.is_none(),
                "storage.postgres.url",
                "contradicts storage.engine = \"sqlite\"",
            );
            checker.require(settings.sqlite.readers > 0, "storage.sqlite.readers", "must be 1 at least");
            let path = settings.sqlite.path.clone();
            let path = path.or_else(|| development.then(|| PathBuf::from(DEVELOPMENT_DATABASE)));
            if path.is_none() {
                checker.problem(
                    "storage.sqlite.path",
                    "must be set, since server.name is not `localhost`: where is the organisation's data to be?",
                );
            }
            let (readers, synchronous) = (settings.sqlite.readers, settings.sqlite.synchronous);
            Some(StorageConfig::Sqlite { path: path?, readers, synchronous })
        }
        StorageEngine::Postgres => {
            let connections = settings.postgres.connections;
            checker.require(connections >= 2, "storage.postgres.connections", "must be 2 at least");
            let url = settings.postgres.url.clone();
            if url.is_none() {
                checker.problem("storage.postgres.url", "must be set, since storage.engine is \"postgres\"");
            }
            Some(StorageConfig::Postgres { url: url?, connections })
        }
    }
}

fn media(settings: &MediaSettings, development: bool, checker: &mut Checker<'_>) -> Option<MediaConfig> {
    let directory = settings.directory.clone();
    let directory = directory.or_else(|| development.then(|| PathBuf::from(DEVELOPMENT_MEDIA)));
    if directory.is_none() {
        checker.problem(
            "media.directory",
            "must be set, since server.name is not `localhost`: where are the organisation's files to be?",
        );
    }
    checker.require(settings.max_upload_size.0 > 0, "media.max_upload_size", "must be more than 0");
    checker.require(settings.image_workers > 0, "media.image_workers", "must be 1 at least");
    Some(MediaConfig { directory: directory?, settings: settings.clone() })
}

fn rooms(settings: &RoomSettings, checker: &mut Checker<'_>) -> Option<RoomsConfig> {
    const DEFAULT: &str = "rooms.default_version";
    const ALLOWED: &str = "rooms.allowed_versions";
    let mut parse = |key: &str, name: &VersionName| {
        let mut offered = RoomVersion::supported().chain(RoomVersion::proposed());
        let known = offered.any(|version| version.as_str() == name.0);
        if !known {
            checker.problem(key, format!("`{name}` is not a room version that is supported here (6 to 12)"));
        }
        RoomVersionId::try_from(name.0.as_str()).ok().filter(|_| known)
    };
    let default_version = parse(DEFAULT, &settings.default_version);
    let allowed: Vec<_> = settings.allowed_versions.iter().map(|name| parse(ALLOWED, name)).collect();
    let allowed_versions: Vec<_> = allowed.into_iter().flatten().collect();
    let default_version = default_version?;
    checker.require(
        allowed_versions.contains(&default_version),
        DEFAULT,
        "is not one of rooms.allowed_versions",
    );
    let join_old_versions = settings.join_old_versions;
    Some(RoomsConfig { default_version, allowed_versions, join_old_versions })
}

fn federation(
    settings: &FederationSettings,
    development: bool,
    checker: &mut Checker<'_>,
) -> FederationConfig {
    let usual = if development { FederationMode::Off } else { FederationMode::Open };
    let mode = settings.mode.unwrap_or(usual);
    let (partners, denied) = (&settings.partners, &settings.denied);
    checker.require(
        mode != FederationMode::Partners || !partners.is_empty(),
        "federation.partners",
        "must name a server at least, since federation.mode is \"partners\"",
    );
    checker.require(
        mode == FederationMode::Partners || partners.is_empty(),
        "federation.partners",
        "have no effect, since federation.mode is not \"partners\"",
    );
    for (key, patterns) in [("federation.partners", partners), ("federation.denied", denied)] {
        for pattern in patterns.iter().filter(|pattern| !is_server_pattern(pattern)) {
            checker.problem(key, format!("`{pattern}` is not a server name, with or without `*` and `?`"));
        }
    }
    for file in settings.extra_root_certificates.iter().filter(|file| !file.is_file()) {
        let reason = format!("there is no such file: {}", file.display());
        checker.problem("federation.extra_root_certificates", reason);
    }
    let timeout = settings.connect_timeout.0;
    checker.require(!timeout.is_zero(), "federation.connect_timeout", "must be more than 0");
    FederationConfig {
        rules: FederationRules { mode, partners: partners.clone(), denied: denied.clone() },
        allowed_private_ranges: settings.allowed_private_ranges.clone(),
        extra_root_certificates: settings.extra_root_certificates.clone(),
        trusted_notaries: notaries(&settings.trusted_notaries, checker),
        connect_timeout: timeout,
        share_device_names: settings.share_device_names,
    }
}

fn application_services(
    settings: &Settings,
    server_name: Option<&ServerName>,
    checker: &mut Checker<'_>,
) -> Option<ApplicationServices> {
    let settings = &settings.application_services;
    let files = RegistrationFiles {
        files: &settings.registration_files,
        directory: settings.registration_directory.as_deref(),
    };
    let mut problems = Vec::new();
    let services = application_services::read(server_name?, &files, &mut problems);
    for (key, reason) in problems {
        checker.problem(key, reason);
    }
    services
}

fn push(settings: &PushSettings, checker: &mut Checker<'_>) -> PushConfig {
    for pattern in settings.gateways.iter().filter(|pattern| !is_server_pattern(pattern)) {
        let reason = format!("`{pattern}` is not a host name, with or without `*` and `?`");
        checker.problem("push.gateways", reason);
    }
    let rules = PushRules {
        enabled: settings.enabled,
        gateways: settings.gateways.clone(),
        plain_http: !settings.allowed_private_ranges.is_empty(),
        content: settings.content,
        mail: settings.mail,
    };
    let allowed_private_ranges = settings.allowed_private_ranges.clone();
    let (mail_delay, mail_pause) = (settings.mail_delay.0, settings.mail_pause.0);
    PushConfig { rules, badge: settings.badge, mail_delay, mail_pause, allowed_private_ranges }
}

fn notaries(names: &[String], checker: &mut Checker<'_>) -> Vec<OwnedServerName> {
    let mut notaries = Vec::with_capacity(names.len());
    for name in names {
        match ServerName::parse(name) {
            Ok(notary) => notaries.push(notary),
            Err(_) => {
                checker.problem("federation.trusted_notaries", format!("`{name}` is not a server name"));
            }
        }
    }
    notaries
}

/// Whether a pattern could fit a server name.
fn is_server_pattern(pattern: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]*?".contains(&byte);
    !pattern.is_empty() && pattern.bytes().all(fits)
}

fn search_languages(settings: &SearchSettings, checker: &mut Checker<'_>) -> Vec<Language> {
    let mut languages = Vec::new();
    for code in &settings.languages {
        match code.parse() {
            Ok(language) => languages.push(language),
            Err(error) => checker.problem("search.languages", format!("{error}")),
        }
    }
    languages
}

fn rate_limits(settings: &RateLimitSettings, checker: &mut Checker<'_>) {
    let RateLimitSettings { login, registration, messages, joins, invites, reports, mails, searches } =
        settings;
    let limits: [(&str, &RateLimit); 8] = [
        ("login", login),
        ("registration", registration),
        ("messages", messages),
        ("joins", joins),
        ("invites", invites),
        ("reports", reports),
        ("mails", mails),
        ("searches", searches),
    ];
    for (name, limit) in limits {
        let rate = limit.per_second;
        let key = format!("rate_limits.{name}.per_second");
        checker.require(rate.is_finite() && rate >= 0.0, &key, "must be 0 (without limit) or more");
        let key = format!("rate_limits.{name}.burst");
        checker.require(rate == 0.0 || limit.burst > 0, &key, "must be 1 at least, or nothing could be done");
    }
}

fn limits(settings: &LimitSettings, checker: &mut Checker<'_>) {
    checker.require(
        settings.max_request_size.0 >= SMALLEST_REQUEST_LIMIT_BYTES,
        "limits.max_request_size",
        "must be 128 KiB at least, for an event to fit in",
    );
    let timeline = settings.max_sync_timeline_events;
    checker.require(timeline > 0, "limits.max_sync_timeline_events", "must be 1 at least");
    let wait = settings.max_sync_wait.0;
    checker.require(wait <= LONGEST_SYNC_WAIT, "limits.max_sync_wait", "must be 5m at most");
    checker.require(settings.max_messages_page > 0, "limits.max_messages_page", "must be 1 at least");
}
