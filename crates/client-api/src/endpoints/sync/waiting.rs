//! What is kept of a call while it waits for news.

use parvis_accounts::AuthError;
use parvis_sync::Reader;
use parvis_wire::{Call, MatrixError, access_token};

use crate::{ClientApi, Session, actor::reader};

/// Who waits, and by which token. Of the call itself nothing is kept: its headers are parts of the buffer in which it
/// arrived, and thousands may wait.
pub(super) struct Waiting {
    pub(super) reader: Reader,
    /// `None` for an application service: its token is good for as long as the service is registered.
    token: Option<String>,
}

impl Waiting {
    /// # Errors
    /// If the access token cannot be read.
    pub(super) fn of<T>(call: &Call<T, Session>) -> Result<Self, MatrixError> {
        let token = match call.principal.service {
            Some(_) => None,
            None => Some(access_token(&call.parts)?.unwrap_or_default().into_owned()),
        };
        Ok(Self { reader: reader(&call.principal), token })
    }

    /// Waits until the session has ended: who logs out on another device is told at once, and not when the wait is over.
    pub(super) async fn ended(&self, api: &ClientApi) -> AuthError {
        match &self.token {
            None => std::future::pending().await,
            Some(token) => api.accounts.until_ended(token).await,
        }
    }
}
