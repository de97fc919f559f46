//! `POST /_matrix/client/v3/keys/claim`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysclaim>).

use parvis_e2ee::KeyClaims;
use parvis_wire::{Call, MatrixError};
use ruma::{
    OneTimeKeyId, OwnedDeviceId, OwnedOneTimeKeyId,
    api::client::keys::claim_keys::v3::{Request, Response},
    serde::Raw,
};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

use super::timeout;
use crate::{ApiError, ClientApi, Session, completion::to_its_end};

type Keys<K> = BTreeMap<OwnedDeviceId, BTreeMap<OwnedOneTimeKeyId, Raw<K>>>;

/// Takes one-time keys of devices. Goes on to its end without the client: keys that were taken are gone.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { timeout: asked, one_time_keys, .. } = call.request;
    let devices = one_time_keys.into_iter().map(|(user_id, devices)| {
        let devices = devices.into_iter().map(|(device_id, algorithm)| (device_id, algorithm.to_string()));
        (user_id, devices.collect())
    });
    let claims = KeyClaims { devices: devices.collect(), timeout: timeout(asked) };
    let claimed = to_its_end(async move { Ok(api.e2ee.claim_keys(claims).await?) }).await?;
    let keys = claimed.keys.into_iter().map(|(user_id, devices)| Ok((user_id, named(devices)?)));
    let mut response = Response::new(keys.collect::<Result<_, MatrixError>>()?);
    response.failures = claimed.failures;
    Ok(response)
}

fn named<K>(
    devices: BTreeMap<OwnedDeviceId, BTreeMap<String, Box<RawValue>>>,
) -> Result<Keys<K>, MatrixError> {
    let of_device = |(device_id, keys): (OwnedDeviceId, BTreeMap<String, Box<RawValue>>)| {
        let keys = keys.into_iter().map(|(name, key)| {
            let name = OneTimeKeyId::parse(&name).map_err(MatrixError::internal)?;
            Ok((name, Raw::from_json(key)))
        });
        Ok((device_id, keys.collect::<Result<_, MatrixError>>()?))
    };
    devices.into_iter().map(of_device).collect()
}
