//! From an access token to the session that it belongs to.

use http::request::Parts;
use parvis_accounts::{AuthError, Session};
use parvis_wire::{Authenticator, ClientAddress, MatrixError};
use ruma::UserId;

use crate::{ApiError, ClientApi, permitted};

impl Authenticator for ClientApi {
    type Principal = Session;

    async fn authenticate(&self, token: &str, request: &Parts) -> Result<Session, MatrixError> {
        let from = request.extensions.get::<ClientAddress>().map(|address| address.0);
        match self.accounts.authenticate(token, from).await {
            // A locked user may still log out (https://spec.matrix.org/v1.19/client-server-api/#account-locking).
            Err(AuthError::Locked(session)) if is_logout(request.uri.path()) => Ok(*session),
            Ok(session) => permitted::check(&session, request).map(|()| session),
            Err(error) => Err(ApiError::from(error).into()),
        }
    }
}

fn is_logout(path: &str) -> bool {
    path.ends_with("/logout") || path.ends_with("/logout/all")
}

/// Refuses what somebody wants to do with the data of another user.
pub(crate) fn check_own(session: &Session, user_id: &UserId) -> Result<(), MatrixError> {
    if session.user_id == *user_id {
        Ok(())
    } else {
        Err(MatrixError::forbidden("This belongs to another user."))
    }
}
