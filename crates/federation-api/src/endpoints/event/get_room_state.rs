//! `GET /_matrix/federation/v1/state/{roomId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1stateroomid>).

use axum::response::Response;
use parvis_wire::Call;
use ruma::api::federation::event::get_room_state::v1::Request;

use super::turn;
use crate::{ApiError, FederationApi, Origin, reply::Reply};

/// The state before an event, and everything that allows it.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let Request { room_id, event_id, .. } = &call.request;
    let _turn = turn(&api).await?;
    let served = api.rooms.serve_state(call.principal.server_name(), room_id, event_id).await?;
    Ok(Reply::new().pdus("auth_chain", &served.auth_chain).pdus("pdus", &served.state).done())
}
