//! `GET /_matrix/client/v3/joined_rooms`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3joined_rooms>).

use parvis_wire::Call;
use ruma::api::client::membership::joined_rooms::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session};

/// The rooms that the user is joined to.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    Ok(Response::new(api.rooms.joined_rooms(call.principal.user).await?))
}
