//! `DELETE /_matrix/client/v3/devices/{deviceId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3devicesdeviceid>).

use axum::response::Response;
use parvis_wire::{MatrixError, Stream, typed_response};
use ruma::{OwnedDeviceId, api::client::device::delete_device::v3::Response as Deleted};
use serde::Deserialize;

use crate::{ApiError, ClientApi, Session, interactive};

#[derive(Deserialize)]
struct Request {}

/// Takes one of the user's devices away and ends its session.
pub(super) async fn handle(api: ClientApi, stream: Stream<Session>) -> Result<Response, ApiError> {
    let body = interactive::read::<Request>(stream.body).await?;
    let device_id: Option<OwnedDeviceId> = stream.path.first().map(|device_id| device_id.as_str().into());
    let device_id = device_id.ok_or_else(|| MatrixError::missing_param("The device id is missing."))?;
    interactive::confirm(&api, &stream.principal, &stream.parts, &body.fields).await?;
    api.accounts.delete_devices(stream.principal.user, &[device_id]).await?;
    Ok(typed_response(Deleted::new())?)
}
