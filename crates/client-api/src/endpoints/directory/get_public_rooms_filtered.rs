//! `POST /_matrix/client/v3/publicRooms`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3publicrooms>).

use axum::response::Response;
use parvis_rooms::{Network, PublicRoomsQuery};
use parvis_wire::Call;
use ruma::{
    api::client::directory::get_public_rooms_filtered::v3::Request,
    directory::{RoomNetwork, RoomTypeFilter},
};

use crate::{ApiError, ClientApi, Session, endpoints::directory::answer};

/// A page of the rooms of the directory that pass a filter.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { limit, since, server, filter, room_network, .. } = call.request;
    let query = PublicRoomsQuery {
        search: filter.generic_search_term,
        room_types: filter.room_types.iter().map(type_of).collect(),
        limit: limit.and_then(|limit| usize::try_from(u64::from(limit)).ok()),
        since,
        federated_only: false,
        network: match room_network {
            RoomNetwork::All => Network::All,
            RoomNetwork::ThirdParty(instance) => Network::Other(instance),
            _ => Network::Matrix,
        },
    };
    answer(&api, server.as_deref(), &query).await
}

fn type_of(filter: &RoomTypeFilter) -> Option<String> {
    filter.as_str().map(ToOwned::to_owned)
}
