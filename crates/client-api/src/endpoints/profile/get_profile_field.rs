//! `GET /_matrix/client/v3/profile/{userId}/{keyName}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3profileuseridkeyname>).

use axum::response::Response;
use parvis_wire::{Call, MatrixError, json_response};
use ruma::api::client::profile::get_profile_field::v3::Request;
use serde_json::json;

use crate::{ApiError, ClientApi, services::provide_user};

/// A field of a user's profile.
pub(super) async fn handle(api: ClientApi, call: Call<Request, ()>) -> Result<Response, ApiError> {
    let Request { user_id, field, .. } = &call.request;
    let value = if user_id.server_name() == api.rooms.server_name() {
        provide_user(&api, None, user_id).await?;
        api.accounts.profile_field(user_id, field.as_str()).await?
    } else {
        let mut profile = api.rooms.profile_elsewhere(user_id).await?;
        profile
            .remove(field.as_str())
            .ok_or_else(|| MatrixError::not_found("the profile has no such field"))?
    };
    Ok(json_response(&json!({ field.as_str(): value })))
}
