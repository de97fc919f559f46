//! `GET /_matrix/federation/v1/event_auth/{roomId}/{eventId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1event_authroomideventid>).

use axum::response::Response;
use parvis_wire::Call;
use ruma::api::federation::authorization::get_event_authorization::v1::Request;

use super::turn;
use crate::{ApiError, FederationApi, Origin, reply::Reply};

/// Everything that allows an event.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let Request { room_id, event_id, .. } = &call.request;
    let _turn = turn(&api).await?;
    let chain = api.rooms.serve_event_auth(call.principal.server_name(), room_id, event_id).await?;
    Ok(Reply::new().pdus("auth_chain", &chain).done())
}
