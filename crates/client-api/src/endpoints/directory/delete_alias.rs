//! `DELETE /_matrix/client/v3/directory/room/{roomAlias}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3directoryroomroomalias>).

use parvis_wire::Call;
use ruma::api::client::alias::delete_alias::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, actor::actor};

/// Takes an alias away.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    api.rooms.remove_alias(&actor(&call), &call.request.room_alias).await?;
    Ok(Response::new())
}
