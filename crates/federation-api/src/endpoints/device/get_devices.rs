//! `GET /_matrix/federation/v1/user/devices/{userId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1userdevicesuserid>).

use parvis_wire::{Call, MatrixError};
use ruma::{
    UInt,
    api::federation::device::get_devices::v1::{Request, Response, UserDevice},
    serde::Raw,
};

use crate::{ApiError, FederationApi, Origin};

/// The devices of a user of this server that have keys.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let user_id = call.request.user_id;
    let list = api.e2ee.device_list(&user_id).await?;
    let list = list.ok_or_else(|| MatrixError::not_found("There is no such user here."))?;
    let mut response = Response::new(user_id, UInt::try_from(list.stream_id).unwrap_or_default());
    response.devices = list
        .devices
        .into_iter()
        .map(|device| {
            let mut told = UserDevice::new(device.device_id, Raw::from_json(device.keys));
            told.device_display_name = device.display_name;
            told
        })
        .collect();
    response.master_key = list.master_key.map(Raw::from_json);
    response.self_signing_key = list.self_signing_key.map(Raw::from_json);
    Ok(response)
}
