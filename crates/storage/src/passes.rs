//! Tokens that live for minutes: to log in by, or to show to a third party. Only hashes are kept.

use crate::{
    UpstreamSn, UserSn,
    error::StorageError,
    statement::statements,
    store::Store,
    value::{Row, Value},
    write_set::WriteSet,
};

statements! {
    PASS = "SELECT user_sn, expires_ts, upstream_sn FROM passes WHERE hash = $1 AND purpose = $2";
    ADD_PASS(rows of 5, key 1) =
        "INSERT INTO passes (hash, purpose, user_sn, expires_ts, upstream_sn) VALUES {rows}";
    DELETE_PASS = "DELETE FROM passes WHERE hash = $1";
    DELETE_PASSES_OF_USER = "DELETE FROM passes WHERE user_sn = $1";
    DELETE_OLD_PASSES = "DELETE FROM passes WHERE expires_ts <= $1";
}

/// The guard of [`WriteSet::use_pass`]: it was used already.
pub const PASS_IS_UNUSED: &str = "pass_is_unused";

/// What a short-lived token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassPurpose {
    /// Logging in, once.
    Login,
    /// Telling a third party who its holder is, as often as it likes.
    OpenId,
}

impl PassPurpose {
    fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::OpenId => "openid",
        }
    }
}

/// A short-lived token that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Whose.
    pub user: UserSn,
    /// Until when it is good, in milliseconds since the Unix epoch.
    pub expires_ts: i64,
    /// The sign-in at an identity provider with which it began.
    pub upstream: Option<UpstreamSn>,
}

impl WriteSet {
    /// Keeps a short-lived token.
    pub fn add_pass(&mut self, hash: &[u8; 32], purpose: PassPurpose, pass: Pass) {
        let Pass { user, expires_ts, upstream } = pass;
        let values = vec![
            hash.as_slice().into(),
            purpose.name().into(),
            user.into(),
            expires_ts.into(),
            upstream.into(),
        ];
        self.write(&ADD_PASS, values);
    }

    /// Uses up a short-lived token, and demands that it is still there. See [`PASS_IS_UNUSED`].
    pub fn use_pass(&mut self, hash: &[u8; 32], purpose: PassPurpose) {
        let hash = Value::from(hash.as_slice());
        self.demand_present(PASS_IS_UNUSED, &PASS, vec![hash.clone(), purpose.name().into()]);
        self.write(&DELETE_PASS, vec![hash]);
    }

    /// Takes away all short-lived tokens of a user.
    pub fn delete_passes(&mut self, user: UserSn) {
        self.write(&DELETE_PASSES_OF_USER, vec![user.into()]);
    }

    /// Forgets the short-lived tokens that were good until `now` at most.
    pub fn delete_old_passes(&mut self, now: i64) {
        self.write(&DELETE_OLD_PASSES, vec![now.into()]);
    }
}

impl Store {
    /// The short-lived token with this hash and purpose, good or not.
    pub async fn pass(&self, hash: &[u8; 32], purpose: PassPurpose) -> Result<Option<Pass>, StorageError> {
        let row = self.engine.fetch_one(&PASS, vec![hash.as_slice().into(), purpose.name().into()]).await?;
        let pass = |row: Row| {
            let upstream = row.opt_int(2)?.map(UpstreamSn);
            Ok(Pass { user: UserSn(row.int(0)?), expires_ts: row.int(1)?, upstream })
        };
        row.map(pass).transpose()
    }
}
