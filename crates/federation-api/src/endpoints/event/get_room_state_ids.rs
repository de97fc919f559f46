//! `GET /_matrix/federation/v1/state_ids/{roomId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1state_idsroomid>).

use axum::response::Response;
use parvis_wire::Call;
use ruma::{OwnedEventId, api::federation::event::get_room_state_ids::v1::Request};
use serde_json::Value;

use super::turn;
use crate::{ApiError, FederationApi, Origin, reply::Reply};

/// The state before an event, and everything that allows it, by ids.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let Request { room_id, event_id, .. } = &call.request;
    let _turn = turn(&api).await?;
    let served = api.rooms.serve_state_ids(call.principal.server_name(), room_id, event_id).await?;
    let ids = |ids: &[OwnedEventId]| ids.iter().map(|id| id.as_str()).collect::<Value>();
    let reply = Reply::new().value("auth_chain_ids", ids(&served.auth_chain));
    Ok(reply.value("pdu_ids", ids(&served.state)).done())
}
