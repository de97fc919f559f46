//! `DELETE /_matrix/client/unstable/org.matrix.msc3391/user/{userId}/account_data/{type}`, and the same of a room
//! (<https://github.com/matrix-org/matrix-spec-proposals/pull/3391>).

use axum::response::Response;
use parvis_wire::{Call, MatrixError, json_response};
use ruma::{RoomId, UserId};
use serde_json::json;

use crate::{ApiError, ClientApi, Session, session::check_own};

pub(super) const GLOBAL: &str =
    "/_matrix/client/unstable/org.matrix.msc3391/user/{user_id}/account_data/{event_type}";
pub(super) const OF_ROOM: &str =
    "/_matrix/client/unstable/org.matrix.msc3391/user/{user_id}/rooms/{room_id}/account_data/{event_type}";

/// Deletes what the user's clients keep of one type, about the account or about a room.
pub(super) async fn handle(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    let (user_id, room_id, kind) = match call.request.as_slice() {
        [user_id, kind] => (user_id, None, kind),
        [user_id, room_id, kind] => (user_id, Some(room_id), kind),
        _ => return Err(MatrixError::unrecognized().into()),
    };
    let user_id = UserId::parse(user_id).map_err(|_| MatrixError::invalid_param("This is no user id."))?;
    check_own(&call.principal, &user_id)?;
    let room = match room_id.map(RoomId::parse).transpose() {
        Ok(Some(room_id)) => Some(api.accounts.room(&room_id).await?),
        Ok(None) => None,
        Err(_) => return Err(MatrixError::invalid_param("This is no room id.").into()),
    };
    api.accounts.delete_account_data(call.principal.user, room, kind).await?;
    Ok(json_response(&json!({})))
}
