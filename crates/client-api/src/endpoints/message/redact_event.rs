//! `PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidredacteventidtxnid>).

use parvis_wire::Call;
use ruma::api::client::redact::redact_event::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, actor::actor, endpoints::message::check_sent_by};

/// Takes the content out of an event.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    api.limits.messages.check(&call.principal)?;
    if call.principal.suspended {
        check_sent_by(&api, &call.principal, &call.request.room_id, &call.request.event_id).await?;
    }
    let Request { room_id, event_id, txn_id, reason, .. } = &call.request;
    let redaction =
        api.rooms.redact(&actor(&call), room_id, event_id, reason.as_deref(), txn_id.as_str()).await?;
    Ok(Response::new(redaction))
}
