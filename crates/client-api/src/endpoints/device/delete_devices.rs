//! `POST /_matrix/client/v3/delete_devices`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3delete_devices>).

use axum::response::Response;
use parvis_wire::{Stream, typed_response};
use ruma::{OwnedDeviceId, api::client::device::delete_devices::v3::Response as Deleted};
use serde::Deserialize;

use crate::{ApiError, ClientApi, Session, interactive};

#[derive(Deserialize)]
struct Request {
    devices: Vec<OwnedDeviceId>,
}

/// Takes some of the user's devices away and ends their sessions.
pub(super) async fn handle(api: ClientApi, stream: Stream<Session>) -> Result<Response, ApiError> {
    let body = interactive::read::<Request>(stream.body).await?;
    interactive::confirm(&api, &stream.principal, &stream.parts, &body.fields).await?;
    api.accounts.delete_devices(stream.principal.user, &body.request.devices).await?;
    Ok(typed_response(Deleted::new())?)
}
