//! `PUT /_matrix/federation/v2/invite/{roomId}/{eventId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2inviteroomideventid>).

use parvis_rooms::Invitation;
use parvis_wire::Call;
use ruma::api::federation::membership::{
    RawStrippedState,
    create_invite::v2::{Request, Response},
};
use serde_json::value::RawValue;

use super::{check_acl, raw};
use crate::{ApiError, FederationApi, Origin};

/// Invites a user of this server; answers with the invitation, signed by this server too.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let Request { room_id, event_id, room_version, event, invite_room_state, .. } = call.request;
    check_acl(&api, &call.principal, &room_id).await?;
    let invitation = Invitation {
        room_id,
        event_id,
        room_version: room_version.to_string(),
        event,
        state: invite_room_state.into_iter().map(event_of).collect(),
    };
    let signed = api.rooms.receive_invite(call.principal.server_name(), invitation).await?;
    Ok(Response::new(raw(&signed)?))
}

/// A state event as it came, in full or stripped.
fn event_of(event: RawStrippedState) -> Box<RawValue> {
    match event {
        RawStrippedState::Pdu(event) => event,
        #[expect(deprecated, reason = "servers from before version 1.16 send them so")]
        RawStrippedState::Stripped(event) => event.into_json(),
        _ => RawValue::NULL.to_owned(),
    }
}
