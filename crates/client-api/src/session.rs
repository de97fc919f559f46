//! Who is calling.

use http::request::Parts;
use parvis_wire::{Authenticator, MatrixError};
use ruma::{OwnedDeviceId, OwnedUserId};

use crate::ClientApi;

/// A user on one of their devices.
#[derive(Clone, Debug)]
pub struct Session {
    /// The user.
    pub user_id: OwnedUserId,
    /// The device on which they are logged in.
    pub device_id: OwnedDeviceId,
}

impl Authenticator for ClientApi {
    type Principal = Session;

    /// No access tokens have been given out, so none is known.
    async fn authenticate(&self, _: &str, _: &Parts) -> Result<Session, MatrixError> {
        Err(MatrixError::unknown_token(false))
    }
}
