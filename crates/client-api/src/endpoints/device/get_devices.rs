//! `GET /_matrix/client/v3/devices`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devices>).

use parvis_wire::Call;
use ruma::api::client::device::get_devices::v3::{Request, Response};

use super::device;
use crate::{ApiError, ClientApi, Session};

/// The user's devices.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let devices = api.accounts.devices(call.principal.user).await?;
    Ok(Response::new(devices.into_iter().map(device).collect()))
}
