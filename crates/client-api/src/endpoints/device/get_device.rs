//! `GET /_matrix/client/v3/devices/{deviceId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devicesdeviceid>).

use parvis_wire::Call;
use ruma::api::client::device::get_device::v3::{Request, Response};

use super::device;
use crate::{ApiError, ClientApi, Session};

/// One of the user's devices.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let found = api.accounts.device(call.principal.user, &call.request.device_id).await?;
    Ok(Response::new(device(found)))
}
