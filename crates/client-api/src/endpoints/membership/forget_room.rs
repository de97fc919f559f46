//! `POST /_matrix/client/v3/rooms/{roomId}/forget`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidforget>).

use parvis_wire::Call;
use ruma::api::client::membership::forget_room::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, actor::actor};

/// Forgets a room that the user has left.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let actor = actor(&call);
    let room = api.rooms.find(&call.request.room_id).await?;
    api.rooms.forget(&actor, room).await?;
    Ok(Response::new())
}
