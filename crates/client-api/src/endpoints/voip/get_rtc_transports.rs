//! `GET /_matrix/client/unstable/org.matrix.msc4143/rtc/transports`
//! (<https://github.com/matrix-org/matrix-spec-proposals/pull/4143>).

use axum::response::Response;
use parvis_wire::{Call, json_response};
use serde_json::json;

use crate::{ApiError, ClientApi, Session};

/// The organisation's media servers for group calls.
pub(super) async fn handle(api: ClientApi, _: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    Ok(json_response(&json!({ "rtc_transports": api.calls.transports() })))
}
