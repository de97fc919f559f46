//! `GET /_matrix/client/v3/rooms/{roomId}/state`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidstate>).

use axum::response::Response;
use parvis_wire::Call;
use ruma::api::client::state::get_state_events::v3::Request;

use crate::{ApiError, ClientApi, Session, actor::actor, reply};

/// All of a room's state.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let events = api.rooms.state(&actor(&call), &call.request.room_id).await?;
    Ok(reply::state_events(&events).list())
}
