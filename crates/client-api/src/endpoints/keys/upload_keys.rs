//! `POST /_matrix/client/v3/keys/upload`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysupload>).

use parvis_e2ee::KeyUpload;
use parvis_wire::Call;
use ruma::{
    OneTimeKeyAlgorithm, UInt,
    api::client::keys::upload_keys::v3::{Request, Response},
};

use crate::{ApiError, ClientApi, Session, actor::caller};

/// Keeps keys of the caller's device.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { device_keys, one_time_keys, fallback_keys, .. } = &call.request;
    let upload = KeyUpload {
        device_keys: device_keys.as_ref().map(|keys| keys.json()),
        one_time_keys: one_time_keys.iter().map(|(name, key)| (name.as_str(), key.json())).collect(),
        fallback_keys: fallback_keys.iter().map(|(name, key)| (name.as_str(), key.json())).collect(),
    };
    let counts = api.e2ee.upload_keys(&caller(&call.principal), &upload).await?;
    let counts = counts.into_iter().map(|(algorithm, count)| {
        (OneTimeKeyAlgorithm::from(algorithm), UInt::try_from(count).unwrap_or(UInt::MAX))
    });
    Ok(Response::new(counts.collect()))
}
