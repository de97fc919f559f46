//! `POST /_matrix/federation/v1/user/keys/claim`
//! (<https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1userkeysclaim>).

use std::collections::BTreeMap;

use parvis_wire::{Call, MatrixError};
use ruma::{
    OneTimeKeyId,
    api::federation::keys::claim_keys::v1::{OneTimeKeys, Request, Response},
    serde::Raw,
};

use crate::{ApiError, FederationApi, Origin};

/// Takes one-time keys of devices of this server's users. Of others nothing is said. Goes on to its end without
/// the one who asks: keys that were taken are gone.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let claims = call.request.one_time_keys.into_iter().map(|(user_id, devices)| {
        let devices = devices.into_iter().map(|(device_id, algorithm)| (device_id, algorithm.to_string()));
        (user_id, devices.collect())
    });
    let claims: BTreeMap<_, _> = claims.collect();
    let claimed = tokio::spawn(async move { api.e2ee.claim_our_keys(claims).await });
    let claimed = claimed.await.map_err(MatrixError::internal)??;
    let mut keys = OneTimeKeys::new();
    for (user_id, devices) in claimed.keys {
        let told = keys.entry(user_id).or_default();
        for (device_id, named) in devices {
            for (name, key) in named {
                let name = OneTimeKeyId::parse(&name).map_err(MatrixError::internal)?;
                told.entry(device_id.clone()).or_default().insert(name, Raw::from_json(key));
            }
        }
    }
    Ok(Response::new(keys))
}
