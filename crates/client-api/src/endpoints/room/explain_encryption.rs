//! `GET /_parvis/client/v1/rooms/{roomId}/encryption`

use axum::response::Response;
use parvis_wire::{Call, MatrixError, json_response};
use ruma::RoomId;

use crate::{ApiError, ClientApi, Session, actor::actor};

pub(super) const PATH: &str = "/_parvis/client/v1/rooms/{room_id}/encryption";

/// Why a room is encrypted or plain, and who may change that, for those who are in it.
pub(super) async fn handle(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    let room_id = RoomId::parse(call.request.first().map_or("", String::as_str));
    let room_id = room_id.map_err(|_| MatrixError::invalid_param("This is no room id."))?;
    let encryption = api.rooms.explain_encryption_to(&actor(&call), &room_id).await?;
    Ok(json_response(&encryption.to_json()))
}
