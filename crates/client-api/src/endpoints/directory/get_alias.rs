//! `GET /_matrix/client/v3/directory/room/{roomAlias}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3directoryroomroomalias>).

use parvis_wire::Call;
use ruma::api::client::alias::get_alias::v3::{Request, Response};

use crate::{ApiError, ClientApi, services::locate_alias};

/// The room that an alias names.
pub(super) async fn handle(api: ClientApi, call: Call<Request, ()>) -> Result<Response, ApiError> {
    let (room_id, servers) = locate_alias(&api, &call.request.room_alias).await?;
    Ok(Response::new(room_id, servers))
}
