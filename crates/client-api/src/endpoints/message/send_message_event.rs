//! `PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid>).

use crate::{
    ApiError, ClientApi, Session,
    actor::actor_at,
    endpoints::{
        delayed_event::{answer_later, delay},
        message::check_redacts_own,
    },
};
use axum::response::Response;
use parvis_rooms::{NewDelayedEvent, SendEvent};
use parvis_wire::{Call, typed_response};
use ruma::api::client::message::send_message_event::v3::{Request, Response as Sent};

/// Sends a message event, at once or later.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    api.limits.messages.check(&call.principal)?;
    let Request { room_id, event_type, txn_id, body, timestamp, .. } = &call.request;
    if call.principal.suspended {
        check_redacts_own(&api, &call.principal, room_id, body.json()).await?;
    }
    let (kind, content, transaction_id) =
        (event_type.to_string(), body.json().to_owned(), txn_id.to_string());
    let actor = actor_at(&call, *timestamp);
    if let Some(delay) = delay(&call.parts)? {
        let transaction_id = Some(transaction_id);
        let new = NewDelayedEvent { kind, state_key: None, content, transaction_id, delay };
        return answer_later(&api, &actor, room_id, new).await;
    }
    let event = SendEvent { kind, content, transaction_id };
    Ok(typed_response(Sent::new(api.rooms.send(&actor, room_id, event).await?))?)
}
