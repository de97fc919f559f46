//! `POST /_matrix/client/v3/keys/signatures/upload`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keyssignaturesupload>).

use std::collections::BTreeMap;

use axum::response::Response;
use parvis_e2ee::SignatureFailure;
use parvis_wire::{Call, json_response, parse_json};
use ruma::{OwnedUserId, api::client::keys::upload_signatures::v3::Request};
use serde_json::{json, value::RawValue};

use crate::{ApiError, ClientApi, Session, actor::caller};

/// Keeps signatures of the caller on keys. Those that are not good are named.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let signed: BTreeMap<OwnedUserId, BTreeMap<String, Box<RawValue>>> = parse_json(&call.body)?;
    let failures = api.e2ee.upload_signatures(&caller(&call.principal), &signed).await?;
    let failure = |failure: &SignatureFailure| {
        let errcode = match failure {
            SignatureFailure::Unreadable(_) => "M_BAD_JSON",
            SignatureFailure::UnknownKey => "M_NOT_FOUND",
            SignatureFailure::OtherKey => "M_INVALID_PARAM",
            SignatureFailure::BadSignature => "M_INVALID_SIGNATURE",
        };
        json!({ "errcode": errcode, "error": failure.to_string() })
    };
    let failures: BTreeMap<_, BTreeMap<_, _>> = failures
        .iter()
        .map(|(user_id, keys)| (user_id, keys.iter().map(|(name, why)| (name, failure(why))).collect()))
        .collect();
    Ok(json_response(&json!({ "failures": failures })))
}
