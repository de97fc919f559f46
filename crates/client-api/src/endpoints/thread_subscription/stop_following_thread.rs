//! `DELETE /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription`

use axum::response::Response;
use parvis_wire::{Call, json_response};
use serde_json::json;

use super::root_of;
use crate::{ApiError, ClientApi, Session};

/// Has the caller no longer follow the thread.
pub(super) async fn handle(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    let (_, root) = root_of(&api, &call).await?;
    api.sync.stop_following_thread(call.principal.user, &root.event).await?;
    Ok(json_response(&json!({})))
}
