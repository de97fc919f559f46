//! `PUT /_matrix/client/v3/directory/list/room/{roomId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3directorylistroomroomid>).

use crate::{ApiError, ClientApi, Session, actor::actor};
use parvis_wire::Call;
use ruma::api::client::directory::set_room_visibility::v3::{Request, Response};
use ruma::api::client::room::Visibility;

/// Lists a room in the directory, or takes it off.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let listed = call.request.visibility == Visibility::Public;
    api.rooms.publish(&actor(&call), &call.request.room_id, listed).await?;
    Ok(Response::new())
}
