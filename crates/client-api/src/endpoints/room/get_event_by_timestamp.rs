//! `GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event>).

use parvis_rooms::Direction;
use parvis_wire::Call;
use ruma::{
    MilliSecondsSinceUnixEpoch, UInt,
    api::{
        Direction as Asked,
        client::room::get_event_by_timestamp::v1::{Request, Response},
    },
};

use crate::{ApiError, ClientApi, Session, actor::actor};

/// The event that was sent nearest to a time.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { room_id, ts, dir, .. } = &call.request;
    let direction = if *dir == Asked::Forward { Direction::Forward } else { Direction::Backward };
    let ts = i64::from(ts.get());
    let event = api.rooms.event_near(&actor(&call), room_id, ts, direction).await?;
    let found = UInt::new_saturating(u64::try_from(event.origin_server_ts).unwrap_or(0));
    Ok(Response::new(event.event_id, MilliSecondsSinceUnixEpoch(found)))
}
