//! `PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}` and its older form
//! (<https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_joinroomideventid>).

use axum::response::Response;
use parvis_rooms::JoinAnswer;
use parvis_wire::{Call, MatrixError};
use ruma::api::federation::membership::create_join_event::v2::Request;

use super::check_acl;
use crate::{ApiError, FederationApi, Origin, reply::Reply};

/// Takes a user of the asking server into the room; answers with the room's state before that.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let origin = api.rooms.server_name().as_str();
    let answer = join(&api, &call, call.request.omit_members).await?;
    let servers: Vec<&str> = answer.servers_in_room.iter().map(|server| server.as_str()).collect();
    Ok(in_full(&answer)
        .value("origin", origin)
        .value("members_omitted", answer.members_omitted)
        .value("servers_in_room", servers)
        .done())
}

/// The same in the older form.
pub(super) async fn handle_v1(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let answer = join(&api, &call, false).await?;
    Ok(in_full(&answer).value("origin", api.rooms.server_name().as_str()).done_after_status())
}

async fn join(
    api: &FederationApi,
    call: &Call<Request, Origin>,
    omit_members: bool,
) -> Result<JoinAnswer, ApiError> {
    let Request { room_id, event_id, pdu, .. } = &call.request;
    check_acl(api, &call.principal, room_id).await?;
    let _turn = api.heavy.acquire().await.map_err(MatrixError::internal)?;
    let origin = call.principal.server_name();
    Ok(api.rooms.send_join(origin, room_id, event_id, pdu, omit_members).await?)
}

fn in_full(answer: &JoinAnswer) -> Reply {
    Reply::new()
        .pdus("auth_chain", &answer.auth_chain)
        .pdu("event", &answer.event)
        .pdus("state", &answer.state)
}
