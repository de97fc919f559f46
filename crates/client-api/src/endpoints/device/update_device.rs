//! `PUT /_matrix/client/v3/devices/{deviceId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3devicesdeviceid>).

use axum::response::Response as HttpResponse;
use http::StatusCode;
use parvis_wire::{Call, typed_response};
use ruma::api::client::device::update_device::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session};

/// Gives one of the user's devices another name for people. Application services make devices this way.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<HttpResponse, ApiError> {
    let Request { device_id, display_name, .. } = &call.request;
    let session = &call.principal;
    let mut response = typed_response(Response::new())?;
    if session.service.is_some()
        && api.accounts.make_device(session, device_id, display_name.as_deref()).await?
    {
        *response.status_mut() = StatusCode::CREATED;
        return Ok(response);
    }
    match display_name {
        Some(name) => api.accounts.rename_device(session.user, device_id, Some(name)).await?,
        // Nothing is changed; whether there is such a device is said all the same.
        None => drop(api.accounts.device(session.user, device_id).await?),
    }
    Ok(response)
}
