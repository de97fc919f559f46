//! From an access token to an administrator.

use http::request::Parts;
use parvis_accounts::AuthError;
use parvis_wire::{Authenticator, ClientAddress, MatrixError};
use ruma::OwnedUserId;

use crate::AdminApi;

/// Somebody who administers this homeserver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Administrator {
    /// Who.
    pub user_id: OwnedUserId,
}

impl Authenticator for AdminApi {
    type Principal = Administrator;

    async fn authenticate(&self, token: &str, request: &Parts) -> Result<Administrator, MatrixError> {
        let from = request.extensions.get::<ClientAddress>().map(|address| address.0);
        match self.accounts.authenticate(token, from).await {
            Ok(session) if session.is_admin && !session.suspended => {
                Ok(Administrator { user_id: session.user_id })
            }
            Ok(_) => Err(MatrixError::forbidden("This is for administrators.")),
            Err(AuthError::Storage(error)) => Err(MatrixError::internal(error)),
            Err(AuthError::Expired) => Err(MatrixError::unknown_token(true)),
            Err(AuthError::Unknown | AuthError::Locked(_)) => Err(MatrixError::unknown_token(false)),
        }
    }
}
