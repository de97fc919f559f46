//! `GET /_parvis/admin/v1/rooms/{roomId}/encryption`

use axum::response::Response;
use parvis_wire::{Call, MatrixError, json_response};
use ruma::RoomId;

use super::{source_json, variable};
use crate::{AdminApi, Administrator, error::ApiError};

pub(super) const PATH: &str = "/_parvis/admin/v1/rooms/{room_id}/encryption";

/// Why a room is encrypted or plain, by which setting, and who has set that.
pub(super) async fn handle(
    api: AdminApi,
    call: Call<Vec<String>, Administrator>,
) -> Result<Response, ApiError> {
    let room_id = RoomId::parse(variable(&call, 0));
    let room_id = room_id.map_err(|_| MatrixError::invalid_param("This is no room id."))?;
    let encryption = api.rooms.explain_encryption(&room_id).await?;
    let mut body = encryption.to_json();
    body["source"] = source_json(&api.organisation.source(&encryption.stance.setting.name));
    Ok(json_response(&body))
}
