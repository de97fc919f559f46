//! `PUT /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription`

use axum::response::Response;
use parvis_wire::{Call, MatrixError, json_response};
use serde::Deserialize;
use serde_json::json;

use super::{root_of, visible};
use crate::{ApiError, ClientApi, Session};

#[derive(Deserialize)]
struct Body {
    /// The reply because of which a client has the user follow the thread; without one, the user wishes to.
    automatic: Option<String>,
}

/// Has the caller follow the thread.
pub(super) async fn handle(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    let body: Body =
        serde_json::from_slice(&call.body).map_err(|error| MatrixError::bad_json(error.to_string()))?;
    let (room_id, root) = root_of(&api, &call).await?;
    let cause = match body.automatic {
        Some(cause) => Some(visible(&api, &call.principal, &room_id, &cause).await?.event),
        None => None,
    };
    api.sync.follow_thread(call.principal.user, &root.event, cause.as_ref()).await?;
    Ok(json_response(&json!({})))
}
