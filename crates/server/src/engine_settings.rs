//! From the configuration to the settings of the engines, which know nothing of files and keys.

use parvis_accounts::{
    AccountsSettings, AddressAtRegistration, Findable, PasswordRules, Registration, RegistrationToken, Terms,
    TermsDocument, UsersChange,
};
use parvis_client_api::{Bounds, RateLimit, RateLimitSettings, RoomVersions};
use parvis_e2ee::E2eeSettings;
use parvis_events::RoomVersion;
use parvis_policy::Standing;
use parvis_rooms::RoomSettings;
use parvis_search::SearchSettings;
use parvis_sync::{PresenceMode, SyncSettings};

use crate::config::{self, FindableUsers, ManagedField, OrganisationConfig, RegistrationConfig, RoomsConfig};

/// The versions of new rooms.
pub(crate) fn room_versions(config: &RoomsConfig) -> RoomVersions {
    RoomVersions { default: config.default_version.clone(), allowed: config.allowed_versions.clone() }
}

/// What rooms are made like.
pub(crate) fn room_settings(config: &OrganisationConfig, policy: Standing) -> RoomSettings {
    let known = |version: &ruma::RoomVersionId| version.as_str().parse::<RoomVersion>().ok();
    RoomSettings {
        default_version: known(&config.rooms.default_version).unwrap_or(RoomVersion::DEFAULT),
        allowed_versions: config.rooms.allowed_versions.iter().filter_map(known).collect(),
        policy,
        may_publish: true,
        join_old_versions: config.rooms.join_old_versions,
        calls_between_apps: config.calls_between_apps,
        services: config.application_services.clone(),
    }
}

/// How news are told.
pub(crate) fn sync_settings(config: &OrganisationConfig) -> SyncSettings {
    let presence = match config.presence {
        config::PresenceMode::Off => PresenceMode::Off,
        config::PresenceMode::Local => PresenceMode::Local,
        config::PresenceMode::On => PresenceMode::On,
    };
    SyncSettings { presence }
}

/// How what was said is found.
pub(crate) fn search_settings(config: &OrganisationConfig) -> SearchSettings {
    SearchSettings { languages: config.search_languages.clone() }
}

/// How the server's half of end-to-end encryption works.
pub(crate) fn e2ee_settings(config: &OrganisationConfig) -> E2eeSettings {
    E2eeSettings { share_device_names: config.federation.share_device_names, ..E2eeSettings::default() }
}

/// How accounts work.
pub(crate) fn accounts_settings(config: &OrganisationConfig, policy: Standing) -> AccountsSettings {
    let accounts = &config.accounts;
    let lifetime = |setting: config::HumanDuration| Some(setting.0).filter(|lifetime| !lifetime.is_zero());
    let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    AccountsSettings {
        policy,
        registration: match &config.registration {
            RegistrationConfig::Closed => Registration::Closed,
            RegistrationConfig::Open => Registration::Open,
            RegistrationConfig::Token(tokens) => Registration::Token(
                tokens.iter().map(|token| RegistrationToken(token.reveal().to_owned())).collect(),
            ),
        },
        password_rules: PasswordRules {
            min_length: count(accounts.password_min_length),
            needs_digit: accounts.password_needs_digit,
            needs_both_cases: accounts.password_needs_both_cases,
            needs_symbol: accounts.password_needs_symbol,
        },
        password_workers: count(accounts.password_workers),
        access_token_lifetime: lifetime(accounts.access_token_lifetime),
        refreshable_access_token_lifetime: lifetime(accounts.refreshable_access_token_lifetime),
        refresh_token_lifetime: lifetime(accounts.refresh_token_lifetime),
        push: config.push.rules.clone(),
        findable: match accounts.findable {
            FindableUsers::Everyone => Findable::Everyone,
            FindableUsers::Acquaintances => Findable::Acquaintances,
        },
        address_at_registration: match config.entry.mail_address {
            config::MailAddressAtRegistration::No => AddressAtRegistration::No,
            config::MailAddressAtRegistration::Optional => AddressAtRegistration::Optional,
            config::MailAddressAtRegistration::Required => AddressAtRegistration::Required,
        },
        terms: config.entry.terms.iter().map(terms).collect(),
        guests: config.entry.guests,
        users_change: users_change(&accounts.managed_by_organisation),
        providers: config.providers.clone(),
        account_management_uri: config
            .sign_on
            .as_ref()
            .map(|_| format!("{}/_parvis/account", config.discovery.public_base_url)),
        services: config.application_services.clone(),
        ..AccountsSettings::new(config.server_name.clone())
    }
}

fn terms(settings: &config::TermsSettings) -> Terms {
    let documents = settings.documents.iter().map(|document| {
        let title = document.title.clone();
        (document.language.clone(), TermsDocument { title, url: document.url.clone() })
    });
    Terms { name: settings.name.clone(), version: settings.version.clone(), documents: documents.collect() }
}

fn users_change(managed: &[ManagedField]) -> UsersChange {
    UsersChange {
        displayname: !managed.contains(&ManagedField::Displayname),
        avatar_url: !managed.contains(&ManagedField::AvatarUrl),
        password: !managed.contains(&ManagedField::Password),
        third_party_ids: !managed.contains(&ManagedField::Addresses),
    }
}

/// Limits for those who ask too often.
pub(crate) fn rate_limits(settings: &config::RateLimitSettings) -> RateLimitSettings {
    let limit = |limit: config::RateLimit| RateLimit { per_second: limit.per_second, burst: limit.burst };
    RateLimitSettings {
        login: limit(settings.login),
        registration: limit(settings.registration),
        messages: limit(settings.messages),
        joins: limit(settings.joins),
        invites: limit(settings.invites),
        reports: limit(settings.reports),
        mails: limit(settings.mails),
        searches: limit(settings.searches),
    }
}

/// Bounds on what one request may take.
pub(crate) fn bounds(settings: &config::LimitSettings) -> Bounds {
    let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    Bounds {
        most_timeline_events: count(settings.max_sync_timeline_events),
        longest_sync_wait: settings.max_sync_wait.0,
        most_messages: count(settings.max_messages_page),
    }
}
