//! What the organisation decides about accounts.

use std::{fmt, time::Duration};

use parvis_policy::Standing;
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
    /// Who is found in the directory of users.
    pub findable: Findable,
    /// How many sessions are kept in memory.
    pub cached_sessions: u64,
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
            findable: Findable::default(),
            cached_sessions: 100_000,
        }
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
