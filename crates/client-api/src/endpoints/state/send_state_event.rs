//! `PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey>).

use parvis_wire::Call;
use ruma::api::client::state::send_state_event::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, actor::actor, endpoints::message::refuse_delay};

/// Sets state.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    api.limits.messages.check(&call.principal)?;
    refuse_delay(&call.parts)?;
    let Request { room_id, event_type, state_key, body, .. } = &call.request;
    let kind = event_type.to_string();
    let event_id = api.rooms.set_state(&actor(&call), room_id, &kind, state_key, body.json()).await?;
    if kind == "m.room.guest_access" {
        api.rooms.let_guests_go(room_id).await?;
    }
    Ok(Response::new(event_id))
}
