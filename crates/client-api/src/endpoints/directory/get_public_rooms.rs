//! `GET /_matrix/client/v3/publicRooms`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3publicrooms>).

use axum::response::Response;
use parvis_rooms::PublicRoomsQuery;
use parvis_wire::Call;
use ruma::api::client::directory::get_public_rooms::v3::Request;

use crate::{ApiError, ClientApi, endpoints::directory::answer};

/// A page of the directory.
pub(super) async fn handle(api: ClientApi, call: Call<Request, ()>) -> Result<Response, ApiError> {
    let Request { limit, since, server, .. } = call.request;
    let limit = limit.and_then(|limit| usize::try_from(u64::from(limit)).ok());
    answer(&api, server.as_deref(), &PublicRoomsQuery { limit, since, ..PublicRoomsQuery::default() }).await
}
