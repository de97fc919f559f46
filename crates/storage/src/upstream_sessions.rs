//! Sign-ins at identity providers that have happened, and what providers have said of their ends.
//!
//! What began with one (browsers, grants, login tokens, sessions) carries its number.

use crate::{
    DeviceSn, SessionSn, UpstreamSn, UserSn, error::StorageError, statement::statements, store::Store,
    value::Value, write_set::WriteSet,
};

statements! {
    ADD_UPSTREAM_SESSION(rows of 7, key 1) =
        "INSERT INTO upstream_sessions (upstream_sn, provider, subject, sid, user_sn, began_ts, ended) VALUES {rows}";
    UPSTREAM_SESSIONS = "SELECT upstream_sn, subject, sid FROM upstream_sessions
        WHERE provider = $1 AND (subject = $2 OR sid = $3) ORDER BY upstream_sn";
    UPSTREAM_SESSION_HOLDS = "SELECT 1 FROM upstream_sessions WHERE upstream_sn = $1 AND NOT ended";
    UPSTREAM_OF_SESSION = "SELECT u.upstream_sn FROM sessions s
        JOIN upstream_sessions u ON u.upstream_sn = s.upstream_sn WHERE s.session_sn = $1 AND NOT u.ended";
    DEVICES_OF_UPSTREAM = "SELECT DISTINCT user_sn, device_sn FROM sessions WHERE upstream_sn = $1
        ORDER BY user_sn, device_sn";
    END_UPSTREAM_SESSION = "UPDATE upstream_sessions SET ended = TRUE WHERE upstream_sn = $1";
    DELETE_BROWSERS_OF_UPSTREAM = "DELETE FROM browser_sessions WHERE upstream_sn = $1";
    DELETE_UPSTREAM_SESSION = "DELETE FROM upstream_sessions WHERE upstream_sn = $1";
    DELETE_UPSTREAM_SESSIONS_OF_USER = "DELETE FROM upstream_sessions WHERE user_sn = $1";
    DELETE_OLD_UPSTREAM_SESSIONS = "DELETE FROM upstream_sessions WHERE user_sn = $1 AND began_ts < $2
        AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.upstream_sn = upstream_sessions.upstream_sn)
        AND NOT EXISTS
            (SELECT 1 FROM browser_sessions WHERE browser_sessions.upstream_sn = upstream_sessions.upstream_sn)";
    LOGOUT_TOKEN = "SELECT 1 FROM logout_tokens WHERE hash = $1";
    ADD_LOGOUT_TOKEN(rows of 2, key 1) = "INSERT INTO logout_tokens (hash, expires_ts) VALUES {rows}";
    DELETE_OLD_LOGOUT_TOKENS = "DELETE FROM logout_tokens WHERE expires_ts < $1";
}

/// The guard of [`WriteSet::demand_upstream_session`]: the provider has ended it.
pub const UPSTREAM_SESSION_IS_THERE: &str = "upstream_session_is_there";
/// The guard of [`WriteSet::add_logout_token`]: it was heard already.
pub const LOGOUT_TOKEN_IS_NEW: &str = "logout_token_is_new";

/// Somebody has signed in at an identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSession {
    /// At which.
    pub provider: String,
    /// As whom, there.
    pub subject: String,
    /// The provider's name for it.
    pub sid: Option<String>,
    /// As whom, here.
    pub user: UserSn,
    /// When, in milliseconds since the Unix epoch.
    pub began_ts: i64,
}

/// A sign-in at an identity provider that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundUpstreamSession {
    /// Its number.
    pub upstream: UpstreamSn,
    /// Who, there.
    pub subject: String,
    /// The provider's name for it.
    pub sid: Option<String>,
}

impl WriteSet {
    /// Notes that somebody has signed in at a provider.
    pub fn add_upstream_session(&mut self, upstream: UpstreamSn, session: &UpstreamSession) {
        let values = vec![
            upstream.into(),
            session.provider.as_str().into(),
            session.subject.as_str().into(),
            session.sid.as_deref().into(),
            session.user.into(),
            session.began_ts.into(),
            false.into(),
        ];
        self.write(&ADD_UPSTREAM_SESSION, values);
    }

    /// Demands that a sign-in at a provider, if something began with one, has not ended. See
    /// [`UPSTREAM_SESSION_IS_THERE`].
    pub fn demand_upstream_session(&mut self, upstream: Option<UpstreamSn>) {
        if let Some(upstream) = upstream {
            let values = vec![upstream.into()];
            self.demand_present(UPSTREAM_SESSION_IS_THERE, &UPSTREAM_SESSION_HOLDS, values);
        }
    }

    /// Notes that a sign-in at a provider has ended: its browsers are signed out, and nothing begins with it any more.
    pub fn end_upstream_session(&mut self, upstream: UpstreamSn) {
        self.write(&END_UPSTREAM_SESSION, vec![upstream.into()]);
        self.write(&DELETE_BROWSERS_OF_UPSTREAM, vec![upstream.into()]);
    }

    /// Forgets a sign-in at a provider.
    pub fn delete_upstream_session(&mut self, upstream: UpstreamSn) {
        self.write(&DELETE_UPSTREAM_SESSION, vec![upstream.into()]);
    }

    /// Forgets a user's sign-ins at providers.
    pub(crate) fn delete_upstream_sessions_of(&mut self, user: UserSn) {
        self.write(&DELETE_UPSTREAM_SESSIONS_OF_USER, vec![user.into()]);
    }

    /// Forgets a user's sign-ins at providers from before a time of which nothing is left.
    pub fn delete_old_upstream_sessions(&mut self, user: UserSn, before: i64) {
        self.write(&DELETE_OLD_UPSTREAM_SESSIONS, vec![user.into(), before.into()]);
    }

    /// Remembers until a time what a provider has said, by its hash; and demands that it is said for the first time.
    /// See [`LOGOUT_TOKEN_IS_NEW`]. Forgets what was to be remembered until now at most.
    pub fn add_logout_token(&mut self, hash: &[u8; 32], now: i64, until: i64) {
        let hash = Value::from(hash.as_slice());
        self.write(&DELETE_OLD_LOGOUT_TOKENS, vec![now.into()]);
        self.demand_absent(LOGOUT_TOKEN_IS_NEW, &LOGOUT_TOKEN, vec![hash.clone()]);
        self.write(&ADD_LOGOUT_TOKEN, vec![hash, until.into()]);
    }
}

impl Store {
    /// The sign-ins at a provider of somebody there, and those which it calls so.
    pub async fn upstream_sessions(
        &self,
        provider: &str,
        subject: Option<&str>,
        sid: Option<&str>,
    ) -> Result<Vec<FoundUpstreamSession>, StorageError> {
        let rows =
            self.engine.fetch(&UPSTREAM_SESSIONS, vec![provider.into(), subject.into(), sid.into()]).await?;
        let found = rows.iter().map(|row| {
            Ok(FoundUpstreamSession {
                upstream: UpstreamSn(row.int(0)?),
                subject: row.text(1)?,
                sid: row.opt_text(2)?,
            })
        });
        found.collect()
    }

    /// The sign-in at a provider with which a session began, if it has not ended.
    pub async fn upstream_of_session(&self, session: SessionSn) -> Result<Option<UpstreamSn>, StorageError> {
        let row = self.engine.fetch_one(&UPSTREAM_OF_SESSION, vec![session.into()]).await?;
        row.map(|row| row.int(0).map(UpstreamSn)).transpose()
    }

    /// The devices with sessions that began with a sign-in at a provider, and whose they are.
    pub async fn devices_of_upstream(
        &self,
        upstream: UpstreamSn,
    ) -> Result<Vec<(UserSn, DeviceSn)>, StorageError> {
        let rows = self.engine.fetch(&DEVICES_OF_UPSTREAM, vec![upstream.into()]).await?;
        rows.iter().map(|row| Ok((UserSn(row.int(0)?), DeviceSn(row.int(1)?)))).collect()
    }

    /// Whether a provider has said this already, by its hash.
    pub async fn knows_logout_token(&self, hash: &[u8; 32]) -> Result<bool, StorageError> {
        Ok(self.engine.fetch_one(&LOGOUT_TOKEN, vec![hash.as_slice().into()]).await?.is_some())
    }
}
