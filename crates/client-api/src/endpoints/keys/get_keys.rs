//! `POST /_matrix/client/v3/keys/query`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysquery>).

use std::collections::BTreeMap;

use parvis_e2ee::KeyQuery;
use parvis_wire::Call;
use ruma::{
    OwnedUserId,
    api::client::keys::get_keys::v3::{Request, Response},
    serde::Raw,
};
use serde_json::value::RawValue;

use super::timeout;
use crate::{ApiError, ClientApi, Session, actor::caller};

/// Keys of users and of their devices.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { timeout: asked, device_keys, .. } = call.request;
    let query = KeyQuery { users: device_keys, timeout: timeout(asked) };
    let keys = api.e2ee.query_keys(&caller(&call.principal), query).await?;
    let mut response = Response::new();
    response.failures = keys.failures;
    response.device_keys = keys
        .device_keys
        .into_iter()
        .map(|(user_id, devices)| {
            (user_id, devices.into_iter().map(|(device_id, key)| (device_id, Raw::from_json(key))).collect())
        })
        .collect();
    response.master_keys = raw(keys.master_keys);
    response.self_signing_keys = raw(keys.self_signing_keys);
    response.user_signing_keys = raw(keys.user_signing_keys);
    Ok(response)
}

fn raw<T>(keys: BTreeMap<OwnedUserId, Box<RawValue>>) -> BTreeMap<OwnedUserId, Raw<T>> {
    keys.into_iter().map(|(user_id, key)| (user_id, Raw::from_json(key))).collect()
}
