//! Administering the server by the specification's endpoints
//! (<https://spec.matrix.org/v1.19/client-server-api/#server-administration>).

mod get_user_info;
mod is_user_locked;
mod is_user_suspended;
mod lock_user;
mod suspend_user;

use parvis_wire::{Endpoint, Endpoints, MatrixError};
use ruma::UserId;

use crate::{ClientApi, Session};

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::with_own_reply(get_user_info::handle))
        .with(Endpoint::typed(is_user_locked::handle))
        .with(Endpoint::typed(is_user_suspended::handle))
        .with(Endpoint::typed(lock_user::handle))
        .with(Endpoint::typed(suspend_user::handle))
}

/// Refuses whoever does not administer the server, before anything is looked up; then users of other servers.
fn check_administers(session: &Session, user_id: &UserId) -> Result<(), MatrixError> {
    if !session.is_admin {
        return Err(MatrixError::forbidden("This is for administrators of the server."));
    }
    if user_id.server_name() != session.user_id.server_name() {
        return Err(MatrixError::invalid_param("The user is not of this server."));
    }
    Ok(())
}
