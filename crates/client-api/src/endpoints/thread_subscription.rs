//! Threads that users follow (<https://github.com/matrix-org/matrix-spec-proposals/pull/4306>), and what has changed in
//! which those are (<https://github.com/matrix-org/matrix-spec-proposals/pull/4308>).

mod follow_thread;
mod get_thread_subscription;
mod get_thread_subscriptions;
mod stop_following_thread;

use std::sync::Arc;

use http::Method;
use parvis_sync::ShownEvent;
use parvis_wire::{Call, Endpoint, Endpoints, MatrixError};
use ruma::{EventId, OwnedRoomId, RoomId};

use crate::{ApiError, ClientApi, Session, actor::reader};

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    let unstable = "/_matrix/client/unstable";
    let one = format!("{unstable}/io.element.msc4306/rooms/{{room_id}}/thread/{{event_id}}/subscription");
    let all = format!("{unstable}/io.element.msc4308/thread_subscriptions");
    Endpoints::new()
        .with(Endpoint::own(Method::GET, &one, get_thread_subscription::handle))
        .with(Endpoint::own(Method::PUT, &one, follow_thread::handle))
        .with(Endpoint::own(Method::DELETE, &one, stop_following_thread::handle))
        .with(Endpoint::own(Method::GET, &all, get_thread_subscriptions::handle))
}

/// The room of a request's path, and the event there that the thread begins with.
async fn root_of(
    api: &ClientApi,
    call: &Call<Vec<String>, Session>,
) -> Result<(OwnedRoomId, ShownEvent), ApiError> {
    let [room_id, root] = call.request.as_slice() else { return Err(MatrixError::unrecognized().into()) };
    let room_id = RoomId::parse(room_id).map_err(|_| MatrixError::invalid_param("This is no room id."))?;
    let root = visible(api, &call.principal, &room_id, root).await?;
    Ok((room_id, root))
}

/// An event that the caller may see.
async fn visible(
    api: &ClientApi,
    session: &Session,
    room_id: &RoomId,
    event_id: &str,
) -> Result<ShownEvent, ApiError> {
    let event_id =
        EventId::parse(event_id).map_err(|_| MatrixError::invalid_param("This is no event id."))?;
    let event = api.rooms.event(room_id, &event_id).await?;
    let shown = api.view.show(reader(session), &[Arc::clone(&event)]).await?.pop();
    Ok(shown.ok_or_else(|| MatrixError::not_found("there is no such event, or you may not see it"))?)
}
