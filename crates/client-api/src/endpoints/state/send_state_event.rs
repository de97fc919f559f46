//! `PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey>).

use axum::response::Response;
use parvis_rooms::NewDelayedEvent;
use parvis_wire::{Call, typed_response};
use ruma::api::client::state::send_state_event::v3::{Request, Response as Sent};

use crate::{
    ApiError, ClientApi, Session,
    actor::actor_at,
    endpoints::delayed_event::{answer_later, delay},
};

/// Sets state, at once or later.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    api.limits.messages.check(&call.principal)?;
    let Request { room_id, event_type, state_key, body, timestamp, .. } = &call.request;
    let kind = event_type.to_string();
    let actor = actor_at(&call, *timestamp);
    if let Some(delay) = delay(&call.parts)? {
        let (state_key, content) = (Some(state_key.clone()), body.json().to_owned());
        let new = NewDelayedEvent { kind, state_key, content, transaction_id: None, delay };
        return answer_later(&api, &actor, room_id, new).await;
    }
    let event_id = api.rooms.set_state(&actor, room_id, &kind, state_key, body.json()).await?;
    if kind == "m.room.guest_access" {
        api.rooms.let_guests_go(room_id).await?;
    }
    Ok(typed_response(Sent::new(event_id))?)
}
