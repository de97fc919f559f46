//! Aliases, and the directory of public rooms.

mod aliases;
mod create_alias;
mod delete_alias;
mod get_alias;
mod get_public_rooms;
mod get_public_rooms_filtered;
mod get_room_visibility;
mod set_room_visibility;

use axum::response::Response;
use parvis_rooms::{PublicRoom, PublicRoomsQuery};
use parvis_wire::{Endpoint, Endpoints};
use ruma::ServerName;
use serde_json::json;

use crate::{ApiError, ClientApi, reply};

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::typed(aliases::handle))
        .with(Endpoint::typed(create_alias::handle))
        .with(Endpoint::typed(delete_alias::handle))
        .with(Endpoint::typed(get_alias::handle))
        .with(Endpoint::with_own_reply(get_public_rooms::handle))
        .with(Endpoint::with_own_reply(get_public_rooms_filtered::handle))
        .with(Endpoint::typed(get_room_visibility::handle))
        .with(Endpoint::typed(set_room_visibility::handle))
}

/// A page of the directory, as clients get it.
async fn answer(
    api: &ClientApi,
    server: Option<&ServerName>,
    query: &PublicRoomsQuery,
) -> Result<Response, ApiError> {
    let page = match server.filter(|server| *server != api.rooms.server_name()) {
        Some(server) => api.rooms.public_rooms_of(server, query).await?,
        None => api.rooms.public_rooms(query).await?,
    };
    let mut body = json!({
        "chunk": page.rooms.iter().map(PublicRoom::listing).collect::<Vec<_>>(),
        "total_room_count_estimate": page.total,
    });
    if let Some(token) = page.next_batch {
        body["next_batch"] = token.into();
    }
    if let Some(token) = page.prev_batch {
        body["prev_batch"] = token.into();
    }
    Ok(reply::json(body.to_string()))
}
