//! `PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid>).

use crate::{
    ApiError, ClientApi, Session,
    actor::actor,
    endpoints::message::{check_redacts_own, refuse_delay},
};
use parvis_rooms::SendEvent;
use parvis_wire::Call;
use ruma::api::client::message::send_message_event::v3::{Request, Response};

/// Sends a message event.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    api.limits.messages.check(&call.principal)?;
    refuse_delay(&call.parts)?;
    let Request { room_id, event_type, txn_id, body, .. } = &call.request;
    if call.principal.suspended {
        check_redacts_own(&api, &call.principal, room_id, body.json()).await?;
    }
    let event = SendEvent {
        kind: event_type.to_string(),
        content: body.json().to_owned(),
        transaction_id: txn_id.to_string(),
    };
    Ok(Response::new(api.rooms.send(&actor(&call), room_id, event).await?))
}
