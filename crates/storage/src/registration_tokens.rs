//! Tokens that let their holders register, which administrators give out; and which terms users have accepted.

use crate::{
    UserSn,
    error::StorageError,
    statement::statements,
    store::Store,
    value::{Row, Value},
    write_set::WriteSet,
};

macro_rules! select_token {
    ($rest:literal) => {
        concat!(
            "SELECT token, uses_allowed, uses, expires_ts, created_ts, created_by FROM registration_tokens ",
            $rest
        )
    };
}

statements! {
    REGISTRATION_TOKEN = select_token!("WHERE token = $1");
    REGISTRATION_TOKENS = select_token!("ORDER BY created_ts DESC, token LIMIT $1");
    REGISTRATION_TOKEN_EXISTS = "SELECT 1 FROM registration_tokens WHERE token = $1";
    REGISTRATION_TOKEN_IS_GOOD = "SELECT 1 FROM registration_tokens WHERE token = $1
        AND (uses_allowed IS NULL OR uses < uses_allowed) AND (expires_ts IS NULL OR expires_ts > $2)";
    ADD_REGISTRATION_TOKEN(rows of 6, key 1) =
        "INSERT INTO registration_tokens (token, uses_allowed, uses, expires_ts, created_ts, created_by)
         VALUES {rows}";
    USE_REGISTRATION_TOKEN = "UPDATE registration_tokens SET uses = uses + 1 WHERE token = $1";
    DELETE_REGISTRATION_TOKEN = "DELETE FROM registration_tokens WHERE token = $1";
    ACCEPT_TERMS(rows of 4, key 3) =
        "INSERT INTO accepted_terms (user_sn, policy, version, accepted_ts) VALUES {rows} ON CONFLICT DO NOTHING";
    ACCEPTED_TERMS = "SELECT policy, version, accepted_ts FROM accepted_terms WHERE user_sn = $1
        ORDER BY accepted_ts, policy, version";
}

/// The guard of [`WriteSet::add_registration_token`]: there is such a token.
pub const REGISTRATION_TOKEN_IS_NEW: &str = "registration_token_is_new";
/// The guard of [`WriteSet::delete_registration_token`]: there is no such token.
pub const REGISTRATION_TOKEN_IS_THERE: &str = "registration_token_is_there";
/// The guard of [`WriteSet::use_registration_token`]: it is gone, used up, or has expired.
pub const REGISTRATION_TOKEN_IS_GOOD_STILL: &str = "registration_token_is_good_still";

/// A token that lets its holders register.
#[derive(Clone, PartialEq, Eq)]
pub struct GivenToken {
    /// The token.
    pub token: String,
    /// How many accounts may be made with it; `None` for any number.
    pub uses_allowed: Option<i64>,
    /// How many were made.
    pub uses: i64,
    /// Until when it is good, in milliseconds since the Unix epoch.
    pub expires_ts: Option<i64>,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_ts: i64,
    /// By whom: a user id, or in words.
    pub created_by: String,
}

impl std::fmt::Debug for GivenToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("GivenToken").field("uses", &self.uses).finish_non_exhaustive()
    }
}

impl WriteSet {
    /// Keeps a token, and demands that there is none such. See [`REGISTRATION_TOKEN_IS_NEW`].
    pub fn add_registration_token(&mut self, given: &GivenToken) {
        let token = Value::from(given.token.as_str());
        self.demand_absent(REGISTRATION_TOKEN_IS_NEW, &REGISTRATION_TOKEN_EXISTS, vec![token.clone()]);
        self.write(
            &ADD_REGISTRATION_TOKEN,
            vec![
                token,
                given.uses_allowed.into(),
                given.uses.into(),
                given.expires_ts.into(),
                given.created_ts.into(),
                given.created_by.as_str().into(),
            ],
        );
    }

    /// Counts a use of a token, and demands that it is good. See [`REGISTRATION_TOKEN_IS_GOOD_STILL`].
    pub fn use_registration_token(&mut self, token: &str, now: i64) {
        let values = vec![token.into(), now.into()];
        self.demand_present(REGISTRATION_TOKEN_IS_GOOD_STILL, &REGISTRATION_TOKEN_IS_GOOD, values);
        self.write(&USE_REGISTRATION_TOKEN, vec![token.into()]);
    }

    /// Takes a token away, and demands that it is there. See [`REGISTRATION_TOKEN_IS_THERE`].
    pub fn delete_registration_token(&mut self, token: &str) {
        self.demand_present(REGISTRATION_TOKEN_IS_THERE, &REGISTRATION_TOKEN_EXISTS, vec![token.into()]);
        self.write(&DELETE_REGISTRATION_TOKEN, vec![token.into()]);
    }

    /// Notes that a user has accepted a version of terms.
    pub fn accept_terms(&mut self, user: UserSn, policy: &str, version: &str, accepted_ts: i64) {
        let values = vec![user.into(), policy.into(), version.into(), accepted_ts.into()];
        self.write(&ACCEPT_TERMS, values);
    }
}

impl Store {
    /// A token that lets its holders register, good or not.
    pub async fn registration_token(&self, token: &str) -> Result<Option<GivenToken>, StorageError> {
        let row = self.engine.fetch_one(&REGISTRATION_TOKEN, vec![token.into()]).await?;
        row.map(|row| from_row(&row)).transpose()
    }

    /// At most `limit` tokens that let their holders register, the newest first.
    pub async fn registration_tokens(&self, limit: u32) -> Result<Vec<GivenToken>, StorageError> {
        let rows = self.engine.fetch(&REGISTRATION_TOKENS, vec![limit.into()]).await?;
        rows.iter().map(from_row).collect()
    }

    /// Which terms a user has accepted: name, version and when, in milliseconds since the Unix epoch.
    pub async fn accepted_terms(&self, user: UserSn) -> Result<Vec<(String, String, i64)>, StorageError> {
        let rows = self.engine.fetch(&ACCEPTED_TERMS, vec![user.into()]).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?, row.int(2)?))).collect()
    }
}

fn from_row(row: &Row) -> Result<GivenToken, StorageError> {
    Ok(GivenToken {
        token: row.text(0)?,
        uses_allowed: row.opt_int(1)?,
        uses: row.int(2)?,
        expires_ts: row.opt_int(3)?,
        created_ts: row.int(4)?,
        created_by: row.text(5)?,
    })
}
