//! `PUT /_matrix/client/v3/devices/{deviceId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3devicesdeviceid>).

use parvis_wire::Call;
use ruma::api::client::device::update_device::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session};

/// Gives one of the user's devices another name for people.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { device_id, display_name, .. } = &call.request;
    let user = call.principal.user;
    match display_name {
        Some(name) => api.accounts.rename_device(user, device_id, Some(name)).await?,
        // Nothing is changed; whether there is such a device is said all the same.
        None => drop(api.accounts.device(user, device_id).await?),
    }
    Ok(Response::new())
}
