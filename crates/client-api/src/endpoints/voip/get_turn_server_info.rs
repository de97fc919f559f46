//! `GET /_matrix/client/v3/voip/turnServer`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3voipturnserver>).

use axum::response::Response;
use parvis_wire::{Call, json_response};
use ruma::api::client::voip::get_turn_server_info::v3::Request;
use serde_json::json;

use crate::{ApiError, ClientApi, Session};

/// The relays that help calls through firewalls, and what to say to them.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    Ok(match &api.calls.turn {
        Some(turn) => json_response(&turn.access(&call.principal.user_id, api.clock.now())),
        None => json_response(&json!({})),
    })
}
