//! `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3useruseridroomsroomidtagstag>).

use parvis_wire::{Call, parse_json};
use ruma::api::client::tag::create_tag::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, session::check_own};

/// Puts a tag on a room.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    check_own(&call.principal, &call.request.user_id)?;
    let room = api.accounts.room(&call.request.room_id).await?;
    let info = parse_json(&call.body)?;
    api.accounts.set_tag(call.principal.user, room, &call.request.tag, info).await?;
    Ok(Response::new())
}
