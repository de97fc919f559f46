//! `GET /_matrix/client/v3/rooms/{roomId}/aliases`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidaliases>).

use parvis_wire::Call;
use ruma::api::client::room::aliases::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, actor::actor};

/// The aliases of a room on this server.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    Ok(Response::new(api.rooms.aliases(&actor(&call), &call.request.room_id).await?))
}
