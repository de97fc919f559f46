//! `POST /_matrix/federation/v1/get_missing_events/{roomId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1get_missing_eventsroomid>).

use axum::response::Response;
use parvis_wire::Call;
use ruma::api::federation::event::get_missing_events::v1::Request;

use crate::{ApiError, FederationApi, Origin, reply::Reply};

/// The events between some and others. The least depth that the asking server names is not heeded: who claims which
/// depth is no measure of what it misses.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let Request { room_id, limit, earliest_events, latest_events, .. } = &call.request;
    let limit = usize::try_from(u64::from(*limit)).unwrap_or(usize::MAX);
    let between = (earliest_events.as_slice(), latest_events.as_slice());
    let pdus = api.rooms.serve_missing_events(call.principal.server_name(), room_id, between, limit).await?;
    Ok(Reply::new().pdus("events", &pdus).done())
}
