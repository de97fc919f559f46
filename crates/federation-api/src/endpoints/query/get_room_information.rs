//! `GET /_matrix/federation/v1/query/directory`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1querydirectory>).

use parvis_rooms::RoomError;
use parvis_wire::{Call, MatrixError};
use ruma::api::federation::query::get_room_information::v1::{Request, Response};

use crate::{ApiError, FederationApi, Origin};

/// How many servers are named: the first that is reached will do.
const MOST_SERVERS: usize = 50;

/// The room that an alias of this server names, and servers through which it can be joined.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let alias = &call.request.room_alias;
    if alias.server_name() != api.rooms.server_name() {
        return Err(MatrixError::invalid_param("The alias is not of this server.").into());
    }
    let mut found = api.rooms.resolve_alias(alias).await;
    if matches!(found, Err(RoomError::NotFound(_)))
        && api.services.may_have_alias(alias)
        && api.services.has_alias(alias).await
    {
        // An application service has made it.
        found = api.rooms.resolve_alias(alias).await;
    }
    let (room, room_id, _) = found?;
    let mut servers = api.rooms.servers_in_room(room).await?;
    servers.truncate(MOST_SERVERS);
    Ok(Response::new(room_id, servers))
}
