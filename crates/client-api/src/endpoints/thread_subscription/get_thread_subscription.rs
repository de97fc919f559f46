//! `GET /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription`

use axum::response::Response;
use parvis_sync::Subscription;
use parvis_wire::{Call, MatrixError, json_response};
use serde_json::json;

use super::root_of;
use crate::{ApiError, ClientApi, Session};

/// Whether the caller follows the thread by wish or by itself.
pub(super) async fn handle(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    let (_, root) = root_of(&api, &call).await?;
    let automatic = match api.sync.thread_subscription(call.principal.user, &root.event).await? {
        Some(Subscription::Automatic) => true,
        Some(Subscription::Manual) => false,
        Some(Subscription::Ended) | None => {
            return Err(MatrixError::not_found("You do not follow this thread.").into());
        }
    };
    Ok(json_response(&json!({ "automatic": automatic })))
}
