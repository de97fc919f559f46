//! Identity providers: sign-ins that are under way there, and which of their people are which of ours.

use crate::{
    UserSn, error::StorageError, statement::statements, store::Store, value::Value, write_set::WriteSet,
};

statements! {
    UPSTREAM_LOGIN = "SELECT provider, nonce, verifier, browser, next, expires_ts FROM upstream_logins
        WHERE state = $1";
    UPSTREAM_LOGIN_EXISTS = "SELECT 1 FROM upstream_logins WHERE state = $1";
    ADD_UPSTREAM_LOGIN(rows of 7, key 1) =
        "INSERT INTO upstream_logins (state, provider, nonce, verifier, browser, next, expires_ts) VALUES {rows}";
    DELETE_UPSTREAM_LOGIN = "DELETE FROM upstream_logins WHERE state = $1";
    DELETE_OLD_UPSTREAM_LOGINS = "DELETE FROM upstream_logins WHERE expires_ts < $1";
    COUNT_UPSTREAM_LOGINS = "SELECT COUNT(*) FROM upstream_logins";
    EXTERNAL_ID = "SELECT user_sn FROM external_ids WHERE provider = $1 AND subject = $2";
    EXTERNAL_IDS_OF_USER = "SELECT provider, subject FROM external_ids WHERE user_sn = $1 ORDER BY provider, subject";
    EXTERNAL_ID_EXISTS = "SELECT 1 FROM external_ids WHERE provider = $1 AND (subject = $2 OR user_sn = $3)";
    ADD_EXTERNAL_ID(rows of 4, key 2) =
        "INSERT INTO external_ids (provider, subject, user_sn, linked_ts) VALUES {rows}";
    DELETE_EXTERNAL_IDS = "DELETE FROM external_ids WHERE user_sn = $1";
}

/// The guard of [`WriteSet::use_upstream_login`]: it was used already.
pub const UPSTREAM_LOGIN_IS_UNUSED: &str = "upstream_login_is_unused";
/// The guard of [`WriteSet::add_external_id`]: one of the two has another already.
pub const EXTERNAL_ID_IS_NEW: &str = "external_id_is_new";

/// Somebody signs in at an identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamLogin {
    /// At which.
    pub provider: String,
    /// What the provider's token must repeat.
    pub nonce: String,
    /// What belongs to the challenge that the provider was given.
    pub verifier: String,
    /// A hash of what the browser keeps in which it began.
    pub browser: [u8; 32],
    /// Where the browser goes on to.
    pub next: String,
    /// Until when it is good, in milliseconds since the Unix epoch.
    pub expires_ts: i64,
}

impl WriteSet {
    /// Keeps a sign-in that begins, under the hash of its state.
    pub fn add_upstream_login(&mut self, state: &[u8; 32], login: &UpstreamLogin) {
        let values = vec![
            state.as_slice().into(),
            login.provider.as_str().into(),
            login.nonce.as_str().into(),
            login.verifier.as_str().into(),
            login.browser.as_slice().into(),
            login.next.as_str().into(),
            login.expires_ts.into(),
        ];
        self.write(&ADD_UPSTREAM_LOGIN, values);
    }

    /// Uses up a sign-in, and demands that it is there. See [`UPSTREAM_LOGIN_IS_UNUSED`].
    pub fn use_upstream_login(&mut self, state: &[u8; 32]) {
        let state = Value::from(state.as_slice());
        self.demand_present(UPSTREAM_LOGIN_IS_UNUSED, &UPSTREAM_LOGIN_EXISTS, vec![state.clone()]);
        self.write(&DELETE_UPSTREAM_LOGIN, vec![state]);
    }

    /// Forgets the sign-ins that were good until a time.
    pub fn delete_old_upstream_logins(&mut self, now: i64) {
        self.write(&DELETE_OLD_UPSTREAM_LOGINS, vec![now.into()]);
    }

    /// Notes that somebody at a provider is this user, and demands that neither of them has another there. See
    /// [`EXTERNAL_ID_IS_NEW`].
    pub fn add_external_id(&mut self, provider: &str, subject: &str, user: UserSn, now: i64) {
        let values = vec![provider.into(), subject.into(), user.into()];
        self.demand_absent(EXTERNAL_ID_IS_NEW, &EXTERNAL_ID_EXISTS, values);
        self.write(&ADD_EXTERNAL_ID, vec![provider.into(), subject.into(), user.into(), now.into()]);
    }

    /// Forgets who a user is at all providers.
    pub(crate) fn delete_external_ids(&mut self, user: UserSn) {
        self.write(&DELETE_EXTERNAL_IDS, vec![user.into()]);
    }
}

impl Store {
    /// A sign-in that is under way, good or not, by the hash of its state.
    pub async fn upstream_login(&self, state: &[u8; 32]) -> Result<Option<UpstreamLogin>, StorageError> {
        let Some(row) = self.engine.fetch_one(&UPSTREAM_LOGIN, vec![state.as_slice().into()]).await? else {
            return Ok(None);
        };
        let browser = row.bytes(3)?.try_into();
        Ok(Some(UpstreamLogin {
            provider: row.text(0)?,
            nonce: row.text(1)?,
            verifier: row.text(2)?,
            browser: browser.map_err(|_| StorageError::Corrupt("a browser's hash".to_owned()))?,
            next: row.text(4)?,
            expires_ts: row.int(5)?,
        }))
    }

    /// How many sign-ins are under way.
    pub async fn count_upstream_logins(&self) -> Result<i64, StorageError> {
        let row = self.engine.fetch_one(&COUNT_UPSTREAM_LOGINS, Vec::new()).await?;
        row.map_or(Ok(0), |row| row.int(0))
    }

    /// Which of our users somebody at a provider is.
    pub async fn user_of_external_id(
        &self,
        provider: &str,
        subject: &str,
    ) -> Result<Option<UserSn>, StorageError> {
        let row = self.engine.fetch_one(&EXTERNAL_ID, vec![provider.into(), subject.into()]).await?;
        row.map(|row| row.int(0).map(UserSn)).transpose()
    }

    /// Who a user is at which providers: provider and subject.
    pub async fn external_ids(&self, user: UserSn) -> Result<Vec<(String, String)>, StorageError> {
        let rows = self.engine.fetch(&EXTERNAL_IDS_OF_USER, vec![user.into()]).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
    }
}
