//! `GET /_matrix/client/v3/pushers`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushers>).

use axum::response::Response;
use parvis_wire::{Call, json_response};
use ruma::api::client::push::get_pushers::v3::Request;
use serde_json::json;

use crate::{ApiError, ClientApi, Session};

/// Where the user wants to be told when they are not looking.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let pushers = api.accounts.pushers(&call.principal).await?;
    Ok(json_response(&json!({ "pushers": pushers })))
}
