//! `DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3useruseridroomsroomidtagstag>).

use parvis_wire::Call;
use ruma::api::client::tag::delete_tag::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, session::check_own};

/// Takes a tag off a room.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    check_own(&call.principal, &call.request.user_id)?;
    let room = api.accounts.room(&call.request.room_id).await?;
    api.accounts.delete_tag(call.principal.user, room, &call.request.tag).await?;
    Ok(Response::new())
}
