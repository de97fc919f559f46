//! `PUT /_matrix/federation/v2/send_leave/{roomId}/{eventId}` and its older form
//! (<https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_leaveroomideventid>).

use axum::response::Response as HttpResponse;
use parvis_wire::Call;
use ruma::api::federation::membership::create_leave_event::v2::{Request, Response};

use super::check_acl;
use crate::{ApiError, FederationApi, Origin, reply::Reply};

/// Lets a user of the asking server out of the room, or from before its door.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    leave(&api, &call).await?;
    Ok(Response::new())
}

/// The same in the older form.
pub(super) async fn handle_v1(
    api: FederationApi,
    call: Call<Request, Origin>,
) -> Result<HttpResponse, ApiError> {
    leave(&api, &call).await?;
    Ok(Reply::new().done_after_status())
}

async fn leave(api: &FederationApi, call: &Call<Request, Origin>) -> Result<(), ApiError> {
    let Request { room_id, event_id, pdu, .. } = &call.request;
    check_acl(api, &call.principal, room_id).await?;
    Ok(api.rooms.send_leave(call.principal.server_name(), room_id, event_id, pdu).await?)
}
