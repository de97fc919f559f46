//! `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3useruseridroomsroomidtags>).

use axum::response::Response;
use parvis_wire::{Call, json_response};
use ruma::api::client::tag::get_tags::v3::Request;
use serde_json::json;

use crate::{ApiError, ClientApi, Session, session::check_own};

/// The tags that the user has put on a room.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    check_own(&call.principal, &call.request.user_id)?;
    let room = api.accounts.room(&call.request.room_id).await?;
    let tags = api.accounts.tags(call.principal.user, room).await?;
    Ok(json_response(&json!({ "tags": tags })))
}
