//! OAuth 2.0: apps, and what people have granted them. Of codes only hashes are kept.
//!
//! Knows nothing of what makes an app or a request a good one.

use ruma::OwnedDeviceId;

use crate::{
    DeviceSn, UpstreamSn, UserSn,
    error::StorageError,
    statement::statements,
    store::Store,
    value::{Row, Value},
    write_set::WriteSet,
};

statements! {
    OAUTH_CLIENT = "SELECT metadata FROM oauth_clients WHERE client_id = $1";
    OAUTH_CLIENT_EXISTS = "SELECT 1 FROM oauth_clients WHERE client_id = $1";
    COUNT_UNUSED_OAUTH_CLIENTS = "SELECT COUNT(*) FROM oauth_clients WHERE used_ts IS NULL";
    PUT_OAUTH_CLIENT(rows of 3, key 1) =
        "INSERT INTO oauth_clients (client_id, metadata, created_ts) VALUES {rows}
         ON CONFLICT (client_id) DO UPDATE SET created_ts = excluded.created_ts";
    USE_OAUTH_CLIENT = "UPDATE oauth_clients SET used_ts = $2 WHERE client_id = $1";
    DELETE_UNUSED_OAUTH_CLIENTS = "DELETE FROM oauth_clients WHERE used_ts IS NULL AND created_ts < $1";
    DELETE_OLD_OAUTH_CLIENTS = "DELETE FROM oauth_clients WHERE used_ts < $1 AND created_ts < $1
        AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.oauth_client = oauth_clients.client_id)";
    OAUTH_GRANT = "SELECT client_id, user_sn, device_id, scope, redirect_uri, challenge, granted_ts, used_by,
            upstream_sn
        FROM oauth_grants WHERE hash = $1";
    UNUSED_OAUTH_GRANT = "SELECT 1 FROM oauth_grants WHERE hash = $1 AND used_by IS NULL";
    ADD_OAUTH_GRANT(rows of 9, key 1) =
        "INSERT INTO oauth_grants (hash, client_id, user_sn, device_id, scope, redirect_uri, challenge, granted_ts,
             upstream_sn) VALUES {rows}";
    USE_OAUTH_GRANT = "UPDATE oauth_grants SET used_by = $2 WHERE hash = $1";
    DELETE_OLD_OAUTH_GRANTS = "DELETE FROM oauth_grants WHERE granted_ts < $1";
    OAUTH_DEVICE_GRANT = "SELECT user_code, client_id, device_id, scope, expires_ts, asked_ts, user_sn, denied,
            upstream_sn FROM oauth_device_grants WHERE hash = $1";
    OAUTH_DEVICE_GRANT_BY_USER_CODE =
        "SELECT user_code, client_id, device_id, scope, expires_ts, asked_ts, user_sn, denied, upstream_sn
         FROM oauth_device_grants WHERE user_code = $1";
    OAUTH_DEVICE_GRANT_EXISTS = "SELECT 1 FROM oauth_device_grants WHERE hash = $1";
    OAUTH_USER_CODE_EXISTS = "SELECT 1 FROM oauth_device_grants WHERE user_code = $1";
    UNANSWERED_OAUTH_DEVICE_GRANT =
        "SELECT 1 FROM oauth_device_grants WHERE user_code = $1 AND user_sn IS NULL AND NOT denied";
    COUNT_OAUTH_DEVICE_GRANTS = "SELECT COUNT(*) FROM oauth_device_grants";
    ADD_OAUTH_DEVICE_GRANT(rows of 8, key 1) =
        "INSERT INTO oauth_device_grants (hash, user_code, client_id, device_id, scope, expires_ts, asked_ts, denied)
         VALUES {rows}";
    ASK_FOR_OAUTH_DEVICE_GRANT = "UPDATE oauth_device_grants SET asked_ts = $2 WHERE hash = $1";
    ANSWER_OAUTH_DEVICE_GRANT =
        "UPDATE oauth_device_grants SET user_sn = $2, denied = $3, upstream_sn = $4 WHERE user_code = $1";
    DELETE_OAUTH_DEVICE_GRANT = "DELETE FROM oauth_device_grants WHERE hash = $1";
    DELETE_OLD_OAUTH_DEVICE_GRANTS = "DELETE FROM oauth_device_grants WHERE expires_ts < $1";
    SPENT_REFRESH_TOKEN = "SELECT device_sn FROM spent_refresh_tokens WHERE hash = $1";
    SPEND_REFRESH_TOKEN =
        "INSERT INTO spent_refresh_tokens (hash, device_sn, expires_ts)
         SELECT refresh_hash, device_sn, CAST($2 AS BIGINT) FROM sessions
         WHERE session_sn = $1 AND refresh_hash IS NOT NULL AND oauth_client IS NOT NULL ON CONFLICT DO NOTHING";
    DELETE_OLD_SPENT_REFRESH_TOKENS = "DELETE FROM spent_refresh_tokens WHERE expires_ts < $1";
    CROSS_SIGNING_RESET = "SELECT expires_ts FROM cross_signing_resets WHERE user_sn = $1";
    ALLOW_CROSS_SIGNING_RESET(rows of 2, key 1) =
        "INSERT INTO cross_signing_resets (user_sn, expires_ts) VALUES {rows}
         ON CONFLICT (user_sn) DO UPDATE SET expires_ts = excluded.expires_ts";
    END_CROSS_SIGNING_RESET = "DELETE FROM cross_signing_resets WHERE user_sn = $1";
}

/// The guard of [`WriteSet::use_oauth_grant`]: its code was used already.
pub const OAUTH_GRANT_IS_UNUSED: &str = "oauth_grant_is_unused";
/// The guard of [`WriteSet::use_oauth_device_grant`]: its code was used already.
pub const OAUTH_DEVICE_GRANT_IS_THERE: &str = "oauth_device_grant_is_there";
/// The guard of [`WriteSet::add_oauth_device_grant`]: another has this user code.
pub const OAUTH_USER_CODE_IS_NEW: &str = "oauth_user_code_is_new";
/// The guard of [`WriteSet::answer_oauth_device_grant`]: somebody has answered already.
pub const OAUTH_DEVICE_GRANT_IS_UNANSWERED: &str = "oauth_device_grant_is_unanswered";
/// The guard of [`WriteSet::demand_oauth_client`]: the app is not known any more.
pub const OAUTH_CLIENT_IS_KNOWN: &str = "oauth_client_is_known";

/// What somebody has granted an app that fetches it with a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthGrant {
    /// The app.
    pub client_id: String,
    /// Who granted it.
    pub user: UserSn,
    /// The device that the app is to have.
    pub device_id: OwnedDeviceId,
    /// What the app may do.
    pub scope: String,
    /// Where the code was sent.
    pub redirect_uri: String,
    /// What the app's verifier must hash to.
    pub challenge: String,
    /// When it was granted, in milliseconds since the Unix epoch.
    pub granted_ts: i64,
    /// The device that the first use of the code gave a session.
    pub used_by: Option<DeviceSn>,
    /// The sign-in at an identity provider with which it began.
    pub upstream: Option<UpstreamSn>,
}

/// What an app without a browser asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthDeviceGrant {
    /// What its user types on another machine.
    pub user_code: String,
    /// The app.
    pub client_id: String,
    /// The device that the app is to have.
    pub device_id: OwnedDeviceId,
    /// What the app may do.
    pub scope: String,
    /// Until when it can be granted, in milliseconds since the Unix epoch.
    pub expires_ts: i64,
    /// When the app last asked for the answer, in milliseconds since the Unix epoch.
    pub asked_ts: i64,
    /// Who has granted it.
    pub user: Option<UserSn>,
    /// Whether somebody has said no.
    pub denied: bool,
    /// The sign-in at an identity provider of whoever has granted it.
    pub upstream: Option<UpstreamSn>,
}

impl WriteSet {
    /// Keeps an app, or notes that it registered once more.
    pub fn put_oauth_client(&mut self, client_id: &str, metadata: &str, now: i64) {
        self.write(&PUT_OAUTH_CLIENT, vec![client_id.into(), metadata.into(), now.into()]);
    }

    /// Notes that an app is used, and demands that it is known. See [`OAUTH_CLIENT_IS_KNOWN`].
    pub fn use_oauth_client(&mut self, client_id: &str, now: i64) {
        self.demand_present(OAUTH_CLIENT_IS_KNOWN, &OAUTH_CLIENT_EXISTS, vec![client_id.into()]);
        self.write(&USE_OAUTH_CLIENT, vec![client_id.into(), now.into()]);
    }

    /// Forgets the apps that nobody has used and that registered before one time, and those that were used before
    /// another time and have no session.
    pub fn delete_old_oauth_clients(&mut self, unused_before: i64, used_before: i64) {
        self.write(&DELETE_UNUSED_OAUTH_CLIENTS, vec![unused_before.into()]);
        self.write(&DELETE_OLD_OAUTH_CLIENTS, vec![used_before.into()]);
    }

    /// Keeps what was granted, under the hash of its code.
    pub fn add_oauth_grant(&mut self, hash: &[u8; 32], grant: &OAuthGrant) {
        let OAuthGrant { client_id, user, device_id, scope, redirect_uri, challenge, granted_ts, .. } = grant;
        self.write(
            &ADD_OAUTH_GRANT,
            vec![
                hash.as_slice().into(),
                client_id.as_str().into(),
                (*user).into(),
                device_id.as_str().into(),
                scope.as_str().into(),
                redirect_uri.as_str().into(),
                challenge.as_str().into(),
                (*granted_ts).into(),
                grant.upstream.into(),
            ],
        );
    }

    /// Uses a code up for a session on this device, and demands that it was not used. See
    /// [`OAUTH_GRANT_IS_UNUSED`].
    pub fn use_oauth_grant(&mut self, hash: &[u8; 32], device: DeviceSn) {
        let hash = Value::from(hash.as_slice());
        self.demand_present(OAUTH_GRANT_IS_UNUSED, &UNUSED_OAUTH_GRANT, vec![hash.clone()]);
        self.write(&USE_OAUTH_GRANT, vec![hash, device.into()]);
    }

    /// Forgets what was granted before a time, fetched or not.
    pub fn delete_old_oauth_grants(&mut self, before: i64) {
        self.write(&DELETE_OLD_OAUTH_GRANTS, vec![before.into()]);
    }

    /// Keeps what an app without a browser asks for, under the hash of its code. See [`OAUTH_USER_CODE_IS_NEW`].
    pub fn add_oauth_device_grant(&mut self, hash: &[u8; 32], grant: &OAuthDeviceGrant) {
        let user_code = Value::from(grant.user_code.as_str());
        self.demand_absent(OAUTH_USER_CODE_IS_NEW, &OAUTH_USER_CODE_EXISTS, vec![user_code.clone()]);
        self.write(
            &ADD_OAUTH_DEVICE_GRANT,
            vec![
                hash.as_slice().into(),
                user_code,
                grant.client_id.as_str().into(),
                grant.device_id.as_str().into(),
                grant.scope.as_str().into(),
                grant.expires_ts.into(),
                grant.asked_ts.into(),
                grant.denied.into(),
            ],
        );
    }

    /// Notes when an app asked whether it was granted what it asks for.
    pub fn ask_for_oauth_device_grant(&mut self, hash: &[u8; 32], now: i64) {
        self.write(&ASK_FOR_OAUTH_DEVICE_GRANT, vec![hash.as_slice().into(), now.into()]);
    }

    /// Grants an app what it asks for, or denies it; and demands that nobody has answered. See
    /// [`OAUTH_DEVICE_GRANT_IS_UNANSWERED`].
    pub fn answer_oauth_device_grant(
        &mut self,
        user_code: &str,
        user: UserSn,
        denied: bool,
        upstream: Option<UpstreamSn>,
    ) {
        let values = vec![user_code.into()];
        self.demand_present(OAUTH_DEVICE_GRANT_IS_UNANSWERED, &UNANSWERED_OAUTH_DEVICE_GRANT, values);
        let values = vec![user_code.into(), user.into(), denied.into(), upstream.into()];
        self.write(&ANSWER_OAUTH_DEVICE_GRANT, values);
    }

    /// Uses up the code of an app without a browser, and demands that it is there. See
    /// [`OAUTH_DEVICE_GRANT_IS_THERE`].
    pub fn use_oauth_device_grant(&mut self, hash: &[u8; 32]) {
        let hash = Value::from(hash.as_slice());
        self.demand_present(OAUTH_DEVICE_GRANT_IS_THERE, &OAUTH_DEVICE_GRANT_EXISTS, vec![hash.clone()]);
        self.write(&DELETE_OAUTH_DEVICE_GRANT, vec![hash]);
    }

    /// Forgets what apps without a browser asked for until a time.
    pub fn delete_old_oauth_device_grants(&mut self, now: i64) {
        self.write(&DELETE_OLD_OAUTH_DEVICE_GRANTS, vec![now.into()]);
    }

    /// Remembers until a time that the refresh token of a session, if an app has it by OAuth, is spent; and forgets
    /// those that were spent long ago.
    pub(crate) fn spend_refresh_token(&mut self, session: crate::SessionSn, now: i64, until: i64) {
        self.write(&DELETE_OLD_SPENT_REFRESH_TOKENS, vec![now.into()]);
        self.write(&SPEND_REFRESH_TOKEN, vec![session.into(), until.into()]);
    }

    /// Lets a user's devices put other keys for cross-signing in the place of theirs, until a time.
    pub fn allow_cross_signing_reset(&mut self, user: UserSn, until: i64) {
        self.write(&ALLOW_CROSS_SIGNING_RESET, vec![user.into(), until.into()]);
    }

    /// Lets them do so no more.
    pub fn end_cross_signing_reset(&mut self, user: UserSn) {
        self.write(&END_CROSS_SIGNING_RESET, vec![user.into()]);
    }
}

impl Store {
    /// What an app said of itself when it registered.
    pub async fn oauth_client(&self, client_id: &str) -> Result<Option<String>, StorageError> {
        let row = self.engine.fetch_one(&OAUTH_CLIENT, vec![client_id.into()]).await?;
        row.map(|row| row.text(0)).transpose()
    }

    /// How many apps are kept that nobody has used.
    pub async fn count_unused_oauth_clients(&self) -> Result<i64, StorageError> {
        let row = self.engine.fetch_one(&COUNT_UNUSED_OAUTH_CLIENTS, Vec::new()).await?;
        row.map_or(Ok(0), |row| row.int(0))
    }

    /// What was granted with the code of this hash, used or not.
    pub async fn oauth_grant(&self, hash: &[u8; 32]) -> Result<Option<OAuthGrant>, StorageError> {
        let row = self.engine.fetch_one(&OAUTH_GRANT, vec![hash.as_slice().into()]).await?;
        let grant = |row: Row| {
            Ok(OAuthGrant {
                client_id: row.text(0)?,
                user: UserSn(row.int(1)?),
                device_id: row.text(2)?.into(),
                scope: row.text(3)?,
                redirect_uri: row.text(4)?,
                challenge: row.text(5)?,
                granted_ts: row.int(6)?,
                used_by: row.opt_int(7)?.map(DeviceSn),
                upstream: row.opt_int(8)?.map(UpstreamSn),
            })
        };
        row.map(grant).transpose()
    }

    /// What an app without a browser asks for, by the hash of its code.
    pub async fn oauth_device_grant(
        &self,
        hash: &[u8; 32],
    ) -> Result<Option<OAuthDeviceGrant>, StorageError> {
        let row = self.engine.fetch_one(&OAUTH_DEVICE_GRANT, vec![hash.as_slice().into()]).await?;
        row.map(|row| device_grant(&row)).transpose()
    }

    /// What an app without a browser asks for, by what its user types.
    pub async fn oauth_device_grant_by_user_code(
        &self,
        user_code: &str,
    ) -> Result<Option<OAuthDeviceGrant>, StorageError> {
        let row = self.engine.fetch_one(&OAUTH_DEVICE_GRANT_BY_USER_CODE, vec![user_code.into()]).await?;
        row.map(|row| device_grant(&row)).transpose()
    }

    /// How many apps without a browser wait for an answer.
    pub async fn count_oauth_device_grants(&self) -> Result<i64, StorageError> {
        let row = self.engine.fetch_one(&COUNT_OAUTH_DEVICE_GRANTS, Vec::new()).await?;
        row.map_or(Ok(0), |row| row.int(0))
    }

    /// The device whose refresh token, of this hash, was replaced a while ago.
    pub async fn spent_refresh_token(&self, hash: &[u8; 32]) -> Result<Option<DeviceSn>, StorageError> {
        let row = self.engine.fetch_one(&SPENT_REFRESH_TOKEN, vec![hash.as_slice().into()]).await?;
        row.map(|row| row.int(0).map(DeviceSn)).transpose()
    }

    /// Until when a user's devices may put other keys for cross-signing in the place of theirs, if they ever might.
    pub async fn cross_signing_reset(&self, user: UserSn) -> Result<Option<i64>, StorageError> {
        let row = self.engine.fetch_one(&CROSS_SIGNING_RESET, vec![user.into()]).await?;
        row.map(|row| row.int(0)).transpose()
    }
}

fn device_grant(row: &Row) -> Result<OAuthDeviceGrant, StorageError> {
    Ok(OAuthDeviceGrant {
        user_code: row.text(0)?,
        client_id: row.text(1)?,
        device_id: row.text(2)?.into(),
        scope: row.text(3)?,
        expires_ts: row.int(4)?,
        asked_ts: row.int(5)?,
        user: row.opt_int(6)?.map(UserSn),
        denied: row.bool(7)?,
        upstream: row.opt_int(8)?.map(UpstreamSn),
    })
}
