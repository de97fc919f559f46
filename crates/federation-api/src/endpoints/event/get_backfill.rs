//! `GET /_matrix/federation/v1/backfill/{roomId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1backfillroomid>).

use axum::response::Response;
use parvis_wire::Call;
use ruma::api::federation::backfill::get_backfill::v1::Request;

use super::transaction;
use crate::{ApiError, FederationApi, Origin};

/// Some events and what came before them.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let Request { room_id, v, limit, .. } = &call.request;
    let limit = usize::try_from(u64::from(*limit)).unwrap_or(usize::MAX);
    let pdus = api.rooms.serve_backfill(call.principal.server_name(), room_id, v, limit).await?;
    Ok(transaction(&api, &pdus))
}
