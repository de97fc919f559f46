//! `GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidstateeventtypestatekey>).

use axum::response::Response;
use parvis_wire::Call;
use ruma::api::client::state::get_state_event_for_key::v3::{Request, StateEventFormat};

use crate::{ApiError, ClientApi, Session, actor::actor, reply};

/// One state event: its content, or all of it.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { room_id, event_type, state_key, format, .. } = &call.request;
    let kind = event_type.to_string();
    let event = api.rooms.state_event(&actor(&call), room_id, &kind, state_key).await?;
    if *format == StateEventFormat::Event {
        return Ok(reply::state_events(&[event]).one());
    }
    Ok(reply::json(event.pdu.content_json().to_owned()))
}
