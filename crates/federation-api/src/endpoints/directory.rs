//! The directory of public rooms.
//! <https://spec.matrix.org/v1.19/server-server-api/#public-room-directory>

mod get_public_rooms;
mod get_public_rooms_filtered;

use axum::response::Response;
use parvis_rooms::{PublicRoom, PublicRoomsQuery};
use parvis_wire::{Endpoint, Endpoints};
use ruma::{UInt, directory::RoomNetwork};
use serde_json::Value;

use crate::{ApiError, FederationApi, reply::Reply};

pub(super) fn endpoints() -> Endpoints<FederationApi> {
    Endpoints::new()
        .with(Endpoint::with_own_reply(get_public_rooms::handle))
        .with(Endpoint::with_own_reply(get_public_rooms_filtered::handle))
}

/// How many rooms are wanted.
fn number(limit: Option<UInt>) -> Option<usize> {
    limit.and_then(|limit| usize::try_from(u64::from(limit)).ok())
}

/// A page of the directory. There are no other networks here.
async fn answer(
    api: &FederationApi,
    network: &RoomNetwork,
    query: &PublicRoomsQuery,
) -> Result<Response, ApiError> {
    if matches!(network, RoomNetwork::ThirdParty(_)) {
        return Ok(Reply::new()
            .value("chunk", Vec::<Value>::new())
            .value("total_room_count_estimate", 0)
            .done());
    }
    let page = api.rooms.public_rooms(query).await?;
    let chunk: Vec<Value> = page.rooms.iter().map(PublicRoom::listing).collect();
    let mut reply = Reply::new().value("chunk", chunk).value("total_room_count_estimate", page.total);
    for (name, token) in [("next_batch", page.next_batch), ("prev_batch", page.prev_batch)] {
        if let Some(token) = token {
            reply = reply.value(name, token);
        }
    }
    Ok(reply.done())
}
