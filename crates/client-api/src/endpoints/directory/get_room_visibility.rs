//! `GET /_matrix/client/v3/directory/list/room/{roomId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3directorylistroomroomid>).

use crate::{ApiError, ClientApi};
use parvis_wire::Call;
use ruma::api::client::directory::get_room_visibility::v3::{Request, Response};
use ruma::api::client::room::Visibility;

/// Whether a room is listed in the directory.
pub(super) async fn handle(api: ClientApi, call: Call<Request, ()>) -> Result<Response, ApiError> {
    let listed = api.rooms.is_listed(&call.request.room_id).await?;
    Ok(Response::new(if listed { Visibility::Public } else { Visibility::Private }))
}
