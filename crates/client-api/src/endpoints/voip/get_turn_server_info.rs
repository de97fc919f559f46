//! `GET /_matrix/client/v3/voip/turnServer`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3voipturnserver>).

use axum::response::Response;
use parvis_wire::{Call, json_response};
use ruma::api::client::voip::get_turn_server_info::v3::Request;
use serde_json::json;

use crate::{ApiError, ClientApi, Session};

/// The servers that help calls through firewalls: there are none.
pub(super) async fn handle(_: ClientApi, _: Call<Request, Session>) -> Result<Response, ApiError> {
    Ok(json_response(&json!({})))
}
