//! `POST /_matrix/federation/v1/publicRooms`
//! (<https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1publicrooms>).

use axum::response::Response;
use parvis_rooms::{Network, PublicRoomsQuery};
use parvis_wire::Call;
use ruma::api::federation::directory::get_public_rooms_filtered::v1::Request;

use super::{answer, number};
use crate::{ApiError, FederationApi, Origin};

/// A page of the rooms of the directory that pass a filter.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let Request { limit, since, filter, room_network, .. } = call.request;
    let room_types = filter.room_types.iter().map(|kind| kind.as_str().map(ToOwned::to_owned));
    let query = PublicRoomsQuery {
        search: filter.generic_search_term,
        room_types: room_types.collect(),
        limit: number(limit),
        since,
        federated_only: true,
        network: Network::Matrix,
    };
    answer(&api, &room_network, &query).await
}
