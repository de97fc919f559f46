//! `POST /_matrix/client/v3/rooms/{roomId}/leave`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidleave>).

use parvis_wire::Call;
use ruma::api::client::membership::leave_room::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, actor::actor};

/// Leaves a room, or rejects an invitation.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let actor = actor(&call);
    let room = api.rooms.find(&call.request.room_id).await?;
    api.rooms.leave(&actor, room, call.request.reason.as_deref()).await?;
    Ok(Response::new())
}
