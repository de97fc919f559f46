//! `GET /_matrix/federation/v1/event/{eventId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1eventeventid>).

use axum::response::Response;
use parvis_wire::Call;
use ruma::api::federation::event::get_event::v1::Request;

use super::transaction;
use crate::{ApiError, FederationApi, Origin};

/// One event.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let pdu = api.rooms.serve_event(call.principal.server_name(), &call.request.event_id).await?;
    Ok(transaction(&api, &[pdu]))
}
