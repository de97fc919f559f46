//! `POST /_matrix/federation/v1/user/keys/query`
//! (<https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1userkeysquery>).

use parvis_e2ee::Viewer;
use parvis_wire::Call;
use ruma::{
    api::federation::keys::get_keys::v1::{Request, Response},
    serde::Raw,
};

use crate::{ApiError, FederationApi, Origin};

/// Keys of users of this server and of their devices. Of others nothing is said.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let mut wanted = call.request.device_keys;
    wanted.retain(|user_id, _| user_id.server_name() == api.rooms.server_name());
    let keys = api.e2ee.known_keys(&wanted, Viewer::Server).await?;
    let device_keys = keys.device_keys.into_iter().map(|(user_id, devices)| {
        let devices = devices.into_iter().map(|(device_id, key)| (device_id, Raw::from_json(key)));
        (user_id, devices.collect())
    });
    let mut response = Response::new(device_keys.collect());
    response.master_keys =
        keys.master_keys.into_iter().map(|(user_id, key)| (user_id, Raw::from_json(key))).collect();
    response.self_signing_keys =
        keys.self_signing_keys.into_iter().map(|(user_id, key)| (user_id, Raw::from_json(key))).collect();
    Ok(response)
}
