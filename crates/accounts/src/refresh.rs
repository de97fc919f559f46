//! Refreshing: a new pair of tokens for an old one
//! (<https://spec.matrix.org/v1.19/client-server-api/#refreshing-access-tokens>).
//!
//! The old pair stays good until one token of the new pair is used: an answer that was lost costs nothing, the
//! client asks again with what it has.

use parvis_storage::{CommitError, SESSION_IS_THERE, StorageError, StoredSession, WriteSet};

use crate::{
    accounts::{Accounts, plain},
    authentication::AuthError,
    secret,
    session::OpenedSession,
};

/// Why a token is not refreshed.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The refresh token is not known, or a newer one was used.
    #[error("the refresh token is not known")]
    Unknown,
    /// The refresh token has expired: the user logs in again, and the device goes on with what it has.
    #[error("the refresh token has expired")]
    Expired,
    /// The user is kept out for now.
    #[error("the account is locked")]
    Locked,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// Gives a new pair of tokens for a refresh token.
    ///
    /// # Errors
    /// Any [`RefreshError`].
    pub async fn refresh(&self, refresh_token: &str) -> Result<OpenedSession, RefreshError> {
        let hash = secret::hash(refresh_token);
        let old = self.store.session_by_refresh(&hash).await?.ok_or(RefreshError::Unknown)?;
        // What an app has by OAuth 2.0 it refreshes by that.
        if old.oauth_client.is_some() {
            return Err(RefreshError::Unknown);
        }
        self.replace_session(old).await
    }

    /// Gives a new pair of tokens in the place of those that a session has.
    pub(crate) async fn replace_session(&self, old: StoredSession) -> Result<OpenedSession, RefreshError> {
        if old.refresh_expires_ts.is_some_and(|expires| expires <= self.now().millis()) {
            return Err(RefreshError::Expired);
        }
        if old.locked {
            return Err(RefreshError::Locked);
        }
        if old.replaces.is_some() {
            self.settle(&old).await.map_err(|error| match error {
                AuthError::Storage(error) => RefreshError::Storage(error),
                _ => RefreshError::Unknown,
            })?;
        }
        let mut tokens = self.new_tokens(old.user, old.device, true).await?;
        tokens.new.replaces = Some(old.session);
        tokens.new.oauth_client.clone_from(&old.oauth_client);
        tokens.new.upstream = old.upstream;
        let mut set = WriteSet::new();
        set.demand_session(old.session);
        set.add_session(&tokens.new);
        match self.store.commit(set).await {
            Ok(_) => Ok(tokens.opened(old.user_id, old.device_id)),
            Err(CommitError::Guard(SESSION_IS_THERE)) => Err(RefreshError::Unknown),
            Err(error) => Err(plain(error).into()),
        }
    }
}
