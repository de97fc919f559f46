//! Browsers in which people are signed in. Only hashes of what the browsers hold are kept.

use crate::{
    UpstreamSn, UserSn, error::StorageError, statement::statements, store::Store, value::Value,
    write_set::WriteSet,
};

statements! {
    BROWSER_SESSION = "SELECT user_sn, proved_ts, expires_ts, upstream_sn FROM browser_sessions WHERE hash = $1";
    ADD_BROWSER_SESSION(rows of 5, key 1) =
        "INSERT INTO browser_sessions (hash, user_sn, proved_ts, expires_ts, upstream_sn) VALUES {rows}";
    DELETE_BROWSER_SESSION = "DELETE FROM browser_sessions WHERE hash = $1";
    DELETE_BROWSER_SESSIONS_OF_USER = "DELETE FROM browser_sessions WHERE user_sn = $1";
    DELETE_OLD_BROWSER_SESSIONS = "DELETE FROM browser_sessions WHERE expires_ts <= $1";
}

/// A browser in which somebody is signed in. Times are milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredBrowserSession {
    /// Who.
    pub user: UserSn,
    /// When they proved who they are.
    pub proved_ts: i64,
    /// Until when it is good.
    pub expires_ts: i64,
    /// The sign-in at an identity provider with which it began.
    pub upstream: Option<UpstreamSn>,
}

impl WriteSet {
    /// Signs somebody in, in the browser that holds what has this hash.
    pub fn add_browser_session(&mut self, hash: &[u8; 32], session: StoredBrowserSession) {
        let StoredBrowserSession { user, proved_ts, expires_ts, upstream } = session;
        let values =
            vec![hash.as_slice().into(), user.into(), proved_ts.into(), expires_ts.into(), upstream.into()];
        self.write(&ADD_BROWSER_SESSION, values);
    }

    /// Signs a browser out.
    pub fn delete_browser_session(&mut self, hash: &[u8; 32]) {
        self.write(&DELETE_BROWSER_SESSION, vec![Value::from(hash.as_slice())]);
    }

    /// Signs a user out of all browsers.
    pub fn delete_browser_sessions_of(&mut self, user: UserSn) {
        self.write(&DELETE_BROWSER_SESSIONS_OF_USER, vec![user.into()]);
    }

    /// Forgets the browsers that were signed in until `now` at most.
    pub fn delete_old_browser_sessions(&mut self, now: i64) {
        self.write(&DELETE_OLD_BROWSER_SESSIONS, vec![now.into()]);
    }
}

impl Store {
    /// The session of the browser that holds what has this hash, good or not.
    pub async fn browser_session(
        &self,
        hash: &[u8; 32],
    ) -> Result<Option<StoredBrowserSession>, StorageError> {
        let row = self.engine.fetch_one(&BROWSER_SESSION, vec![hash.as_slice().into()]).await?;
        row.map(|row| {
            Ok(StoredBrowserSession {
                user: UserSn(row.int(0)?),
                proved_ts: row.int(1)?,
                expires_ts: row.int(2)?,
                upstream: row.opt_int(3)?.map(UpstreamSn),
            })
        })
        .transpose()
    }
}
