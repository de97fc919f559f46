//! `GET /_matrix/federation/v1/publicRooms`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1publicrooms>).

use axum::response::Response;
use parvis_rooms::PublicRoomsQuery;
use parvis_wire::Call;
use ruma::api::federation::directory::get_public_rooms::v1::Request;

use super::{answer, number};
use crate::{ApiError, FederationApi, Origin};

/// A page of the directory.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let Request { limit, since, room_network, .. } = call.request;
    let limit = number(limit);
    let query = PublicRoomsQuery { limit, since, federated_only: true, ..PublicRoomsQuery::default() };
    answer(&api, &room_network, &query).await
}
