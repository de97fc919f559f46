//! `GET /_matrix/federation/v1/timestamp_to_event/{roomId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1timestamp_to_eventroomid>).

use parvis_rooms::Direction;
use parvis_wire::Call;
use ruma::{
    MilliSecondsSinceUnixEpoch, UInt,
    api::{
        Direction as Asked,
        federation::event::get_event_by_timestamp::v1::{Request, Response},
    },
};

use crate::{ApiError, FederationApi, Origin};

/// The event that was sent nearest to a time.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let Request { room_id, ts, dir, .. } = &call.request;
    let direction = if *dir == Asked::Forward { Direction::Forward } else { Direction::Backward };
    let (server, ts) = (call.principal.server_name(), i64::from(ts.get()));
    let event = api.rooms.serve_event_near(server, room_id, ts, direction).await?;
    let found = UInt::new_saturating(u64::try_from(event.pdu.origin_server_ts()).unwrap_or(0));
    Ok(Response::new(event.pdu.owned_event_id().clone(), MilliSecondsSinceUnixEpoch(found)))
}
