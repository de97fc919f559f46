//! The sections `registration`, `accounts` and `mail`: who gets in, what they may change, and how they are written to.

use parvis_accounts::Language;
use parvis_peers_smtp::is_sender;
use serde::{Deserialize, Serialize};

use super::{
    check::{Checker, RegistrationConfig},
    human::HumanDuration,
    secret::Secret,
    settings::Settings,
};

/// Who may register an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationMode {
    /// Nobody; the administrator makes accounts.
    #[default]
    Closed,
    /// Whoever has a token.
    Token,
    /// Anyone.
    Open,
}

/// How accounts come about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationSettings {
    /// Who may register.
    pub mode: RegistrationMode,
    /// The tokens for the mode `token`.
    pub tokens: Vec<Secret>,
    /// The second key for the mode `open`.
    pub anyone_may_register_without_token: bool,
    /// Whether those who register prove a mail address.
    pub mail_address: MailAddressAtRegistration,
    /// What those who register must accept.
    pub terms: Vec<TermsSettings>,
    /// Whether anyone may look around without an account.
    pub guests: bool,
}

/// Whether those who register prove a mail address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailAddressAtRegistration {
    /// Nobody is asked.
    #[default]
    No,
    /// They may.
    Optional,
    /// They must.
    Required,
}

/// Something that those who register must accept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermsSettings {
    /// Its name for programs.
    pub name: String,
    /// The version that is in force.
    pub version: String,
    /// The document in each language.
    pub documents: Vec<TermsDocumentSettings>,
}

/// A document in a language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermsDocumentSettings {
    /// The code of the language.
    pub language: String,
    /// The title.
    pub title: String,
    /// Where it is.
    pub url: String,
}

/// How the way to the mail server is kept private.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailSecurity {
    /// With TLS from the first byte.
    #[default]
    Tls,
    /// With TLS after a greeting.
    Starttls,
    /// Not at all.
    None,
}

/// The mail server that takes mails, and what mails say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailSettings {
    /// The mail server's host; without one no mail is sent.
    pub host: Option<String>,
    /// Its port.
    pub port: u16,
    /// How the way there is kept private.
    pub security: MailSecurity,
    /// The name with which to log in there.
    pub username: Option<String>,
    /// The password with which to log in there.
    pub password: Option<Secret>,
    /// From whom mails are.
    pub from: Option<String>,
    /// What mails call the organisation; without it, the server name.
    pub organisation_name: Option<String>,
    /// The language for those who have said none.
    pub default_language: String,
    /// The hosts to which browsers are sent when an address was proved.
    pub next_link_hosts: Vec<String>,
}

impl Default for MailSettings {
    fn default() -> Self {
        Self {
            host: None,
            port: 465,
            security: MailSecurity::default(),
            username: None,
            password: None,
            from: None,
            organisation_name: None,
            default_language: "en".to_owned(),
            next_link_hosts: Vec::new(),
        }
    }
}

/// Passwords and sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountSettings {
    /// The fewest characters of a password.
    pub password_min_length: u32,
    /// Whether a password needs a digit.
    pub password_needs_digit: bool,
    /// Whether a password needs a capital and a small letter.
    pub password_needs_both_cases: bool,
    /// Whether a password needs a character that is neither letter nor digit.
    pub password_needs_symbol: bool,
    /// How many passwords are hashed at a time.
    pub password_workers: u32,
    /// How long an access token lives that cannot be refreshed; 0 is for ever.
    pub access_token_lifetime: HumanDuration,
    /// How long an access token lives that can be refreshed; 0 is for ever.
    pub refreshable_access_token_lifetime: HumanDuration,
    /// How long a refresh token lives if it is not used; 0 is for ever.
    pub refresh_token_lifetime: HumanDuration,
    /// Who is found in the directory of users.
    pub findable: FindableUsers,
    /// What the organisation writes into accounts itself, and users cannot change.
    pub managed_by_organisation: Vec<ManagedField>,
}

/// Something that the organisation writes into accounts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagedField {
    /// The display name.
    Displayname,
    /// The picture.
    AvatarUrl,
    /// The password.
    Password,
    /// Mail addresses.
    Addresses,
}

/// Who is found in the directory of users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindableUsers {
    /// Everybody who has an account here.
    #[default]
    Everyone,
    /// Those with whom the seeker shares a room, and those in rooms that are listed publicly.
    Acquaintances,
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self {
            password_min_length: 8,
            password_needs_digit: false,
            password_needs_both_cases: false,
            password_needs_symbol: false,
            password_workers: 2,
            access_token_lifetime: HumanDuration::seconds(0),
            refreshable_access_token_lifetime: HumanDuration::seconds(3_600),
            refresh_token_lifetime: HumanDuration::seconds(0),
            findable: FindableUsers::default(),
            managed_by_organisation: Vec::new(),
        }
    }
}

/// How mails are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailConfig {
    /// The mail server's host.
    pub host: String,
    /// From whom mails are.
    pub from: String,
    /// The language for those who have said none.
    pub default_language: Language,
    /// The rest, as set.
    pub settings: MailSettings,
}

pub(super) fn registration(settings: &RegistrationSettings, checker: &mut Checker<'_>) -> RegistrationConfig {
    const SECOND_KEY: &str = "registration.anyone_may_register_without_token";
    let open = settings.mode == RegistrationMode::Open;
    checker.require(
        !open || settings.anyone_may_register_without_token,
        "registration.mode",
        "\"open\" lets anyone in the world make accounts here; if that is meant, set \
         registration.anyone_may_register_without_token = true as well",
    );
    checker.require(
        open || !settings.anyone_may_register_without_token,
        SECOND_KEY,
        "contradicts registration.mode, which is not \"open\"",
    );
    match settings.mode {
        RegistrationMode::Token => {
            let usable =
                settings.tokens.iter().all(|token| !token.reveal().is_empty() && token.reveal().len() <= 64);
            checker.require(usable, "registration.tokens", "a token has 1 to 64 characters");
            RegistrationConfig::Token(settings.tokens.clone())
        }
        mode => {
            let none = settings.tokens.is_empty();
            let reason = "have no effect, since registration.mode is not \"token\"";
            checker.require(none, "registration.tokens", reason);
            if mode == RegistrationMode::Open { RegistrationConfig::Open } else { RegistrationConfig::Closed }
        }
    }
}

pub(super) fn accounts(settings: &AccountSettings, checker: &mut Checker<'_>) {
    let length = settings.password_min_length;
    checker.require((1..=128).contains(&length), "accounts.password_min_length", "must be from 1 to 128");
    checker.require(settings.password_workers > 0, "accounts.password_workers", "must be 1 at least");
    let refresh = settings.refresh_token_lifetime.unless_zero();
    let access = settings.refreshable_access_token_lifetime.unless_zero();
    let lasts = refresh.is_none_or(|refresh| access.is_some_and(|access| access < refresh));
    checker.require(
        lasts,
        "accounts.refresh_token_lifetime",
        "must be longer than accounts.refreshable_access_token_lifetime, or sessions end before they can be refreshed",
    );
}

/// What those who register are asked for.
pub(super) fn entry(settings: &Settings, checker: &mut Checker<'_>) {
    let entry = &settings.registration;
    let asks = entry.mail_address != MailAddressAtRegistration::No;
    let reason = "needs a mail server: set mail.host, or leave it at \"no\"";
    checker.require(!asks || settings.mail.host.is_some(), "registration.mail_address", reason);
    for terms in &entry.terms {
        let key = "registration.terms";
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let named = !terms.name.is_empty() && terms.name.bytes().all(letter);
        checker.require(named, key, "a name is made of letters, digits and _ . - alone");
        checker.require(!terms.version.is_empty(), key, "terms need a version");
        checker.require(!terms.documents.is_empty(), key, "terms need a document in one language at least");
        for document in &terms.documents {
            let is_url = document.url.starts_with("https://") || document.url.starts_with("http://");
            checker.require(is_url, key, "a document is at a URL that begins with https:// or http://");
            checker.require(
                !document.language.is_empty() && document.language != "version",
                key,
                "a document needs the code of its language, as \"en\"",
            );
        }
    }
}

pub(super) fn mail(settings: &MailSettings, checker: &mut Checker<'_>) -> Option<MailConfig> {
    let host = settings.host.as_ref()?;
    let from = settings.from.as_ref().filter(|from| is_sender(from));
    let reason = "must be an address, or a name and an address as \"Chat <chat@example.org>\"";
    checker.require(from.is_some(), "mail.from", reason);
    let both = settings.username.is_some() == settings.password.is_some();
    checker.require(both, "mail.password", "name and password are set together, or neither");
    let is_near = ["localhost", "127.0.0.1", "::1"].contains(&host.as_str());
    let private = settings.security != MailSecurity::None || settings.password.is_none() || is_near;
    checker.require(private, "mail.security", "a password is sent over a private way only");
    let language = Language::of_code(&settings.default_language);
    checker.require(language.is_some(), "mail.default_language", "is \"en\", \"fr\", \"de\" or \"it\"");
    Some(MailConfig {
        host: host.clone(),
        from: from?.clone(),
        default_language: language?,
        settings: settings.clone(),
    })
}
