//! `GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomideventeventid>).

use axum::response::Response;
use parvis_wire::{Call, MatrixError};
use ruma::api::client::room::get_room_event::v3::Request;

use crate::{ApiError, ClientApi, Session, actor::reader, reply};

/// One event.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let event = api.rooms.event(&call.request.room_id, &call.request.event_id).await?;
    let shown = api.view.show(reader(&call.principal), &[event]).await?;
    let event = shown
        .first()
        .ok_or_else(|| MatrixError::not_found("there is no such event, or you may not see it"))?;
    Ok(reply::event(event))
}
