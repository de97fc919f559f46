//! `POST /_matrix/client/v3/rooms/{roomId}/unban`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidunban>).

use crate::{ApiError, ClientApi, Session, actor::actor};
use parvis_rooms::Action;
use parvis_wire::Call;
use ruma::api::client::membership::unban_user::v3::{Request, Response};

/// Lets a banned user come back.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let actor = actor(&call);
    let Request { room_id, user_id, reason, .. } = &call.request;
    let room = api.rooms.find(room_id).await?;
    api.rooms.act_on_member(&actor, room, user_id, Action::Unban, reason.as_deref()).await?;
    Ok(Response::new())
}
