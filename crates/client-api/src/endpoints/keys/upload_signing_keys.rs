//! `POST /_matrix/client/v3/keys/device_signing/upload`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload>).

use axum::response::Response;
use parvis_e2ee::{Confirmation, CrossSigningError, CrossSigningUpload};
use parvis_wire::{Stream, typed_response};
use ruma::api::client::keys::upload_signing_keys::v3::Response as Uploaded;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{ApiError, ClientApi, Session, actor::caller, interactive};

#[derive(Deserialize)]
struct Request {
    master_key: Option<Box<RawValue>>,
    self_signing_key: Option<Box<RawValue>>,
    user_signing_key: Option<Box<RawValue>>,
}

/// Keeps the user's keys for cross-signing. The first ones, and those that are there already, need no proof.
pub(super) async fn handle(api: ClientApi, stream: Stream<Session>) -> Result<Response, ApiError> {
    let body = interactive::read::<Request>(stream.body).await?;
    let caller = caller(&stream.principal);
    let upload = CrossSigningUpload {
        master_key: body.request.master_key.as_deref(),
        self_signing_key: body.request.self_signing_key.as_deref(),
        user_signing_key: body.request.user_signing_key.as_deref(),
    };
    let confirm = || interactive::confirm_reset(&api, &stream.principal, &stream.parts, &body.fields);
    let needs_proof = api.e2ee.check_cross_signing_keys(&caller, &upload).await? == Confirmation::Needed;
    if needs_proof {
        confirm().await?;
    }
    match api.e2ee.upload_cross_signing_keys(&caller, &upload, needs_proof).await {
        Err(CrossSigningError::Unproven) => {
            confirm().await?;
            api.e2ee.upload_cross_signing_keys(&caller, &upload, true).await?;
        }
        outcome => outcome?,
    }
    if needs_proof && stream.principal.by_oauth {
        // Once is enough.
        api.accounts.end_cross_signing_reset(stream.principal.user).await?;
    }
    Ok(typed_response(Uploaded::new())?)
}
