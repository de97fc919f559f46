//! Tokens: fetched with a code, refreshed and revoked
//! (<https://spec.matrix.org/v1.19/client-server-api/#grant-types>).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parvis_storage::{
    ACCOUNT_IS_OPEN_AS_BEFORE, CommitError, DeviceSn, OAUTH_DEVICE_GRANT_IS_THERE, OAUTH_GRANT_IS_UNUSED,
    OAuthDeviceGrant, OAuthGrant, StorageError, StoredSession, UPSTREAM_SESSION_IS_THERE, UpstreamSn, UserSn,
    WriteSet,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::clients::{AUTHORIZATION_CODE, DEVICE_CODE, REFRESH_TOKEN, RegisteredClient};
use crate::{
    accounts::{Accounts, plain},
    opening::Origin,
    refresh::RefreshError,
    secret,
    session::{NewDevice, OpenedSession},
};

/// How long a code is good: the browser hands it over at once.
const CODE_LIFETIME: Duration = Duration::from_secs(60);
/// How often an app without a browser may ask.
pub(super) const POLL_EVERY: Duration = Duration::from_secs(5);

/// What an app sends to come to tokens.
#[derive(Clone, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "the parameters are those of RFC 6749, RFC 7636 and RFC 8628")]
pub struct TokenRequest {
    pub grant_type: Option<String>,
    pub client_id: Option<String>,
    pub code: Option<String>,
    pub redirect_uri: Option<String>,
    pub code_verifier: Option<String>,
    pub refresh_token: Option<String>,
    pub device_code: Option<String>,
}

/// The tokens that an app is given.
#[derive(Debug)]
pub struct IssuedTokens {
    /// The session.
    pub session: OpenedSession,
    /// What it may do, where that was not said before.
    pub scope: Option<String>,
}

/// Why an app is given no tokens.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// Something is missing.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// The app is not known, or did not register for this.
    #[error("the client is not known here")]
    InvalidClient,
    /// The app did not register for this way.
    #[error("the client has not registered this grant type")]
    UnauthorizedClient,
    /// The code or the token is not good, or belongs to another app.
    #[error("{0}")]
    InvalidGrant(&'static str),
    /// There is no such way to tokens.
    #[error("this grant type is not known here")]
    UnsupportedGrantType,
    /// Nobody has answered yet.
    #[error("the user has not answered yet")]
    AuthorizationPending,
    /// Nobody has answered yet, and the app asks too often.
    #[error("ask less often")]
    SlowDown,
    /// Somebody has said no.
    #[error("the user has denied it")]
    AccessDenied,
    /// Nobody has answered in time.
    #[error("the device code has expired")]
    ExpiredToken,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// Gives an app tokens.
    ///
    /// # Errors
    /// Any [`IssueError`].
    pub async fn issue_tokens(&self, request: &TokenRequest) -> Result<IssuedTokens, IssueError> {
        let grant_type = request.grant_type.as_deref();
        let grant_type = grant_type.ok_or(IssueError::InvalidRequest("grant_type is missing"))?;
        if ![AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE].contains(&grant_type) {
            return Err(IssueError::UnsupportedGrantType);
        }
        let client_id = request.client_id.as_deref();
        let client_id = client_id.ok_or(IssueError::InvalidRequest("client_id is missing"))?;
        let client = self.oauth_client(client_id).await?.ok_or(IssueError::InvalidClient)?;
        // The specification has a refresh token given with every session.
        if grant_type != REFRESH_TOKEN && !client.may(grant_type) {
            return Err(IssueError::UnauthorizedClient);
        }
        match grant_type {
            AUTHORIZATION_CODE => self.tokens_for_code(&client, request).await,
            DEVICE_CODE => self.tokens_for_device_code(&client, request).await,
            _ => self.refresh_by_oauth(&client, request).await,
        }
    }

    async fn tokens_for_code(
        &self,
        client: &RegisteredClient,
        request: &TokenRequest,
    ) -> Result<IssuedTokens, IssueError> {
        const BAD: IssueError = IssueError::InvalidGrant("the code is not good");
        let code = request.code.as_deref().ok_or(IssueError::InvalidRequest("code is missing"))?;
        let verifier = request.code_verifier.as_deref();
        let verifier = verifier.ok_or(IssueError::InvalidRequest("code_verifier is missing"))?;
        let hash = secret::hash(code);
        let grant = self.store.oauth_grant(&hash).await?.ok_or(BAD)?;
        if let Some(device) = grant.used_by {
            self.revoke_tokens_of(device).await?;
            return Err(BAD);
        }
        let expired = self.now().since(parvis_ambient::Timestamp(grant.granted_ts)) > CODE_LIFETIME;
        let is_its = secret::same(&grant.client_id, &client.client_id)
            && secret::same(&grant.redirect_uri, request.redirect_uri.as_deref().unwrap_or_default())
            && is_verifier(verifier, &grant.challenge);
        if expired || !is_its {
            return Err(BAD);
        }
        let OAuthGrant { user, device_id, scope, upstream, .. } = grant;
        let use_up = |set: &mut WriteSet, device| set.use_oauth_grant(&hash, device);
        match self.open_granted((user, upstream), device_id, client, use_up).await {
            Ok(session) => Ok(IssuedTokens { session, scope: Some(scope) }),
            Err(CommitError::Guard(OAUTH_GRANT_IS_UNUSED)) => {
                // Two have used it at once: neither is believed.
                if let Some(device) = self.store.oauth_grant(&hash).await?.and_then(|grant| grant.used_by) {
                    self.revoke_tokens_of(device).await?;
                }
                Err(BAD)
            }
            Err(CommitError::Guard(ACCOUNT_IS_OPEN_AS_BEFORE | UPSTREAM_SESSION_IS_THERE)) => Err(BAD),
            Err(error) => Err(plain(error).into()),
        }
    }

    async fn tokens_for_device_code(
        &self,
        client: &RegisteredClient,
        request: &TokenRequest,
    ) -> Result<IssuedTokens, IssueError> {
        const BAD: IssueError = IssueError::InvalidGrant("the device code is not good");
        let code = request.device_code.as_deref();
        let code = code.ok_or(IssueError::InvalidRequest("device_code is missing"))?;
        let hash = secret::hash(code);
        let grant = self.store.oauth_device_grant(&hash).await?.ok_or(BAD)?;
        if !secret::same(&grant.client_id, &client.client_id) {
            return Err(BAD);
        }
        let now = self.now();
        if grant.expires_ts <= now.millis() {
            return Err(IssueError::ExpiredToken);
        }
        if grant.denied {
            return Err(IssueError::AccessDenied);
        }
        let OAuthDeviceGrant { user, device_id, scope, asked_ts, upstream, .. } = grant;
        let Some(user) = user else {
            let mut set = WriteSet::new();
            set.ask_for_oauth_device_grant(&hash, now.millis());
            self.store.commit(set).await.map_err(plain)?;
            // A second's grace, for clocks and networks that are not exact.
            let soon = now.since(parvis_ambient::Timestamp(asked_ts)) + Duration::from_secs(1) < POLL_EVERY;
            return Err(if soon { IssueError::SlowDown } else { IssueError::AuthorizationPending });
        };
        let use_up = |set: &mut WriteSet, _| set.use_oauth_device_grant(&hash);
        match self.open_granted((user, upstream), device_id, client, use_up).await {
            Ok(session) => Ok(IssuedTokens { session, scope: Some(scope) }),
            Err(CommitError::Guard(
                OAUTH_DEVICE_GRANT_IS_THERE | ACCOUNT_IS_OPEN_AS_BEFORE | UPSTREAM_SESSION_IS_THERE,
            )) => Err(BAD),
            Err(error) => Err(plain(error).into()),
        }
    }

    async fn open_granted(
        &self,
        (user, upstream): (UserSn, Option<UpstreamSn>),
        device_id: ruma::OwnedDeviceId,
        client: &RegisteredClient,
        use_up: impl Fn(&mut WriteSet, DeviceSn),
    ) -> Result<OpenedSession, CommitError> {
        let account = self.store.account(user).await?;
        let account = account.filter(|account| !account.deactivated && !account.locked);
        let account = account.ok_or(CommitError::Guard(ACCOUNT_IS_OPEN_AS_BEFORE))?;
        let display_name = Some(client.name());
        let device = NewDevice { device_id: Some(device_id), display_name, refreshable: true, from: None };
        let client_id = client.client_id.as_str();
        let now = self.now().millis();
        let origin = Origin { oauth_client: Some(client_id), upstream };
        self.open_session_for(&account, device, origin, |set, device| {
            use_up(set, device);
            set.use_oauth_client(client_id, now);
        })
        .await
    }

    async fn refresh_by_oauth(
        &self,
        client: &RegisteredClient,
        request: &TokenRequest,
    ) -> Result<IssuedTokens, IssueError> {
        const BAD: IssueError = IssueError::InvalidGrant("the refresh token is not good");
        let token = request.refresh_token.as_deref();
        let token = token.ok_or(IssueError::InvalidRequest("refresh_token is missing"))?;
        let hash = secret::hash(token);
        let Some(session) = self.store.session_by_refresh(&hash).await? else {
            if let Some(device) = self.store.spent_refresh_token(&hash).await? {
                // Somebody has a token that was replaced, and whose successor was used: one of the two is a thief.
                self.revoke_tokens_of(device).await?;
            }
            return Err(BAD);
        };
        if session.oauth_client.as_deref() != Some(client.client_id.as_str()) {
            return Err(BAD);
        }
        if session.refresh_expires_ts.is_some_and(|expires| expires <= self.now().millis()) {
            return Err(BAD);
        }
        match self.replace_session(session).await {
            Ok(session) => Ok(IssuedTokens { session, scope: None }),
            Err(RefreshError::Storage(error)) => Err(error.into()),
            Err(_) => Err(BAD),
        }
    }

    /// Ends the session that has this access token or refresh token, and takes its device away. It does not matter
    /// whose it is: who has a token may have it revoked.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn revoke(&self, token: &str) -> Result<(), StorageError> {
        let hash = secret::hash(token);
        let mut session = self.store.session_by_access(&hash).await?;
        if session.is_none() {
            session = self.store.session_by_refresh(&hash).await?;
        }
        let Some(StoredSession { user, device, device_id, .. }) = session else { return Ok(()) };
        self.delete_devices_where(user, |other| other.device == device && other.device_id == device_id).await
    }

    /// Ends what a device has, and leaves the device: whoever it belongs to logs in again and goes on with it.
    async fn revoke_tokens_of(&self, device: DeviceSn) -> Result<(), StorageError> {
        let mut set = WriteSet::new();
        set.delete_sessions(device);
        self.store.commit(set).await.map_err(plain)?;
        self.sessions.forget(|session| session.device == device);
        Ok(())
    }
}

/// Whether a verifier is the one whose hash was sent before (<https://www.rfc-editor.org/rfc/rfc7636>).
fn is_verifier(verifier: &str, challenge: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let fits = (43..=128).contains(&verifier.len()) && verifier.bytes().all(allowed);
    fits && secret::same(&URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())), challenge)
}

#[cfg(test)]
mod tests {
    use super::is_verifier;

    #[test]
    fn only_the_verifier_itself_fits_the_challenge() {
        // The example of RFC 7636, appendix B.
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(is_verifier(verifier, challenge));
        assert!(!is_verifier(&verifier.to_lowercase(), challenge));
        assert!(!is_verifier(challenge, challenge), "the plain method is not known");
        assert!(!is_verifier("short", challenge));
    }
}
