//! `PUT /_matrix/federation/v1/send_knock/{roomId}/{eventId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1send_knockroomideventid>).

use parvis_wire::Call;
use ruma::api::federation::membership::{
    RawStrippedState,
    create_knock_event::v1::{Request, Response},
};

use super::{check_acl, raw};
use crate::{ApiError, FederationApi, Origin};

/// Lets a user of the asking server knock; answers with what they are shown of the room.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let Request { room_id, event_id, pdu, .. } = &call.request;
    check_acl(&api, &call.principal, room_id).await?;
    let shown = api.rooms.send_knock(call.principal.server_name(), room_id, event_id, pdu).await?;
    let shown = shown.iter().map(|event| raw(event).map(RawStrippedState::Pdu));
    Ok(Response::new(shown.collect::<Result<_, _>>()?))
}
