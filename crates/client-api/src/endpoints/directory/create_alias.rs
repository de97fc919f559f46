//! `PUT /_matrix/client/v3/directory/room/{roomAlias}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3directoryroomroomalias>).

use crate::{ApiError, ClientApi, Session, actor::actor};
use http::StatusCode;
use parvis_rooms::RoomError;
use parvis_wire::Call;
use parvis_wire::MatrixError;
use ruma::api::client::alias::create_alias::v3::{Request, Response};
use ruma::api::error::ErrorCode;

/// Gives a room an alias.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { room_alias, room_id, .. } = &call.request;
    let added = api.rooms.add_alias(&actor(&call), room_alias, room_id).await;
    added.map_err(|error| match error {
        RoomError::AliasInUse => {
            MatrixError::new(StatusCode::CONFLICT, ErrorCode::Unknown, "the alias names a room already")
                .into()
        }
        other => ApiError::from(other),
    })?;
    Ok(Response::new())
}
