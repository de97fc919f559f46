//! What the organisation decides about accounts.

use std::{fmt, sync::Arc, time::Duration};

use parvis_application_services::ApplicationServices;
use parvis_peers::{Language, Mailer, NoNetwork, PeopleDirectory, ProviderCaller};
use parvis_policy::{Standing, push::PushRules};
use parvis_storage::Findable;
use ruma::OwnedServerName;

/// How accounts work in an organisation.
#[derive(Clone, Debug)]
pub struct AccountsSettings {
    /// The name behind the colon of every user here.
    pub server_name: OwnedServerName,
    /// The organisation's policy.
    pub policy: Standing,
    /// Who may make an account by themselves.
    pub registration: Registration,
    /// What a password must be like.
    pub password_rules: PasswordRules,
    /// What hashing a password costs.
    pub password_cost: PasswordCost,
    /// How many passwords are hashed at a time.
    pub password_workers: usize,
    /// How long an access token lives that cannot be refreshed; `None` is for ever.
    pub access_token_lifetime: Option<Duration>,
    /// How long an access token lives that can be refreshed; `None` is for ever.
    pub refreshable_access_token_lifetime: Option<Duration>,
    /// How long a refresh token lives if it is not used; `None` is for ever.
    pub refresh_token_lifetime: Option<Duration>,
    /// To which push gateways pushers may lead.
    pub push: PushRules,
    /// Who is found in the directory of users.
    pub findable: Findable,
    /// The organisation's directory, which knows the passwords of its people.
    pub directory: Option<Arc<dyn PeopleDirectory>>,
    /// How mails are sent, if any are.
    pub mail: Option<MailSettings>,
    /// Whether those who register prove a mail address.
    pub address_at_registration: AddressAtRegistration,
    /// What those who register must accept.
    pub terms: Vec<Terms>,
    /// Whether anyone may look around without an account.
    pub guests: bool,
    /// What users change of their accounts by themselves.
    pub users_change: UsersChange,
    /// Where people look after their accounts in a browser, if apps are let in by OAuth 2.0.
    pub account_management_uri: Option<String>,
    /// Where people of the organisation can prove who they are.
    pub providers: Vec<IdentityProvider>,
    /// Asks them.
    pub provider_caller: ProviderCaller,
    /// How many sessions are kept in memory.
    pub cached_sessions: u64,
    /// The application services of the organisation.
    pub services: ApplicationServices,
}

impl AccountsSettings {
    /// The defaults for an organisation of this name: registration is closed.
    pub fn new(server_name: OwnedServerName) -> Self {
        Self {
            server_name,
            policy: Standing::default(),
            registration: Registration::Closed,
            password_rules: PasswordRules::default(),
            password_cost: PasswordCost::default(),
            password_workers: 2,
            access_token_lifetime: None,
            refreshable_access_token_lifetime: Some(Duration::from_secs(3_600)),
            refresh_token_lifetime: None,
            push: PushRules::default(),
            findable: Findable::default(),
            directory: None,
            mail: None,
            address_at_registration: AddressAtRegistration::default(),
            terms: Vec::new(),
            guests: false,
            users_change: UsersChange::default(),
            account_management_uri: None,
            providers: Vec::new(),
            provider_caller: ProviderCaller::new(Arc::new(NoNetwork)),
            cached_sessions: 100_000,
            services: ApplicationServices::default(),
        }
    }
}

/// How mails are sent, and what they say of the organisation.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// Who sends them.
    pub mailer: Arc<dyn Mailer>,
    /// What the organisation is called.
    pub organisation: String,
    /// The URL, without a query, at which an address is proved.
    pub link: String,
    /// The language for those who have said none.
    pub default_language: Language,
    /// The hosts to which browsers are sent when an address was proved, if the client wishes.
    pub next_link_hosts: Vec<String>,
}

/// Whether those who register prove a mail address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressAtRegistration {
    /// Nobody is asked.
    #[default]
    No,
    /// They may.
    Optional,
    /// They must.
    Required,
}

/// Something that those who register must accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Its name for programs, such as `privacy_policy`.
    pub name: String,
    /// The version that is in force.
    pub version: String,
    /// The document, by the code of its language; one at least.
    pub documents: Vec<(String, TermsDocument)>,
}

/// Where to read something in a language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermsDocument {
    /// Its title.
    pub title: String,
    /// Where it is.
    pub url: String,
}

/// What users change of their accounts by themselves; the rest is the organisation's to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsersChange {
    /// Their display names.
    pub displayname: bool,
    /// Their pictures.
    pub avatar_url: bool,
    /// Their passwords.
    pub password: bool,
    /// Their addresses.
    pub third_party_ids: bool,
}

impl Default for UsersChange {
    fn default() -> Self {
        Self { displayname: true, avatar_url: true, password: true, third_party_ids: true }
    }
}

/// An identity provider of the organisation's, by OpenID Connect.
#[derive(Clone, Debug)]
pub struct IdentityProvider {
    /// Its name for programs. It stays as long as anybody signs in by it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its issuer, letter by letter.
    pub issuer: String,
    /// How it calls us.
    pub client_id: String,
    /// How it knows us.
    pub client_secret: Option<ClientSecret>,
    /// What we ask it for.
    pub scopes: String,
    /// What it calls that of which a localpart is made.
    pub localpart_claim: String,
    /// What it calls the display name.
    pub name_claim: String,
    /// What it calls the mail address.
    pub mail_claim: String,
    /// Whether its mail addresses are believed where it does not say that it has checked them.
    pub trusts_mail: bool,
    /// Whether whoever it lets in is given an account.
    pub makes_accounts: bool,
    /// Whose an account becomes that was there before.
    pub existing_accounts: ExistingAccounts,
    /// What it calls the groups that somebody is in.
    pub groups_claim: String,
    /// Who is in one of these is let in; without any, everybody whom the provider lets in.
    pub required_groups: Vec<String>,
    /// What ends when it says that somebody's sign-in there has ended.
    pub back_channel_logout: BackChannelLogout,
}

/// What ends when an identity provider says that somebody's sign-in there has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackChannelLogout {
    /// The apps that were let in with it, with their devices, and the browsers.
    #[default]
    Devices,
    /// The browsers alone.
    Browsers,
    /// Nothing: the provider is not listened to.
    Ignored,
}

/// By what an account that was there before becomes that of somebody who signs in at a provider for the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExistingAccounts {
    /// By nothing.
    #[default]
    Refuse,
    /// By having its localpart.
    ByLocalpart,
    /// By having its mail address, which the provider has checked.
    ByMail,
}

/// A secret by which an identity provider knows us. It shows itself to no log.
#[derive(Clone)]
pub struct ClientSecret(pub String);

impl fmt::Debug for ClientSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientSecret(..)")
    }
}

/// Who may make an account by themselves.
#[derive(Clone, Debug)]
pub enum Registration {
    /// Nobody.
    Closed,
    /// Whoever has one of these tokens.
    Token(Vec<RegistrationToken>),
    /// Anyone.
    Open,
}

/// A token that lets its holder register. It is a secret and shows itself to no log.
#[derive(Clone)]
pub struct RegistrationToken(pub String);

impl fmt::Debug for RegistrationToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RegistrationToken(..)")
    }
}

/// What a password must be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordRules {
    /// The fewest characters.
    pub min_length: usize,
    /// Whether it needs a digit.
    pub needs_digit: bool,
    /// Whether it needs a capital and a small letter.
    pub needs_both_cases: bool,
    /// Whether it needs a character that is neither letter nor digit.
    pub needs_symbol: bool,
}

impl Default for PasswordRules {
    fn default() -> Self {
        Self { min_length: 8, needs_digit: false, needs_both_cases: false, needs_symbol: false }
    }
}

/// What hashing a password costs (Argon2id, <https://www.rfc-editor.org/rfc/rfc9106>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// How often the memory is gone over.
    pub passes: u32,
}

impl Default for PasswordCost {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}
