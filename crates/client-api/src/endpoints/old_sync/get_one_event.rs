//! `GET /_matrix/client/v3/events/{eventId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3eventseventid>).

use axum::response::Response;
use parvis_wire::{Call, MatrixError};
use ruma::EventId;

use crate::{ApiError, ClientApi, Session, actor::reader, reply};

/// One event, whatever its room.
pub(super) async fn handle(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    let missing = || MatrixError::not_found("there is no such event, or you may not see it");
    let id = call.request.first().map_or("", String::as_str);
    let id = EventId::parse(id).map_err(|_| MatrixError::invalid_param("This is no event id."))?;
    let event = api.rooms.event_of_any_room(&id).await?;
    let shown = api.view.show(reader(&call.principal), &[event]).await?;
    Ok(reply::event(shown.first().ok_or_else(missing)?))
}
