//! `DELETE /_matrix/client/unstable/org.matrix.msc4108/rendezvous/{rendezvous_id}`: takes a place away.

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use parvis_accounts::RendezvousError;
use parvis_wire::Stream;

use super::{id, refused, switched_on};
use crate::{ApiError, ClientApi};

/// Takes it away. Either device may, since both know its name.
pub(super) async fn handle(api: ClientApi, stream: Stream<()>) -> Result<Response, ApiError> {
    switched_on(&api)?;
    if !api.accounts.end_rendezvous(id(&stream.path)) {
        return Err(refused(RendezvousError::Gone));
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
