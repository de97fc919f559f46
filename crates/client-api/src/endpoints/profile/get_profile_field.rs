//! `GET /_matrix/client/v3/profile/{userId}/{keyName}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3profileuseridkeyname>).

use axum::response::Response;
use parvis_wire::{Call, json_response};
use ruma::api::client::profile::get_profile_field::v3::Request;
use serde_json::json;

use crate::{ApiError, ClientApi};

/// A field of a user's profile.
pub(super) async fn handle(api: ClientApi, call: Call<Request, ()>) -> Result<Response, ApiError> {
    let Request { user_id, field, .. } = &call.request;
    let value = api.accounts.profile_field(user_id, field.as_str()).await?;
    Ok(json_response(&json!({ field.as_str(): value })))
}
