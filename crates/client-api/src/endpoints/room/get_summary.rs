//! `GET /_matrix/client/v1/room_summary/{roomIdOrAlias}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1room_summaryroomidoralias>).

use axum::response::Response;
use parvis_wire::{Call, MatrixError};
use ruma::{RoomAliasId, RoomId, api::client::room::get_summary::v1::Request};

use crate::{ApiError, ClientApi, Session, actor::actor_of, reply, services::locate_alias};

/// Where it was before it came into the specification.
pub(super) const UNSTABLE: &str = "/_matrix/client/unstable/im.nheko.summary/summary/{room_id_or_alias}";

/// What a room shows of itself, to those who could enter it.
pub(super) async fn handle(
    api: ClientApi,
    call: Call<Request, Option<Session>>,
) -> Result<Response, ApiError> {
    let name = &call.request.room_id_or_alias;
    let mut via = call.request.via.clone();
    let room_id = match <&RoomAliasId>::try_from(&**name) {
        Ok(alias) => {
            let (room_id, servers) = locate_alias(&api, alias).await?;
            via.extend(servers);
            room_id
        }
        Err(_) => RoomId::parse(name.as_str()).map_err(|_| MatrixError::invalid_param("not a room id"))?,
    };
    let actor = call.principal.as_ref().map(|session| actor_of(session, call.user_agent()));
    let (room, membership) = api.rooms.summary(actor.as_ref(), &room_id, &via).await?;
    let mut body = room.summary();
    if actor.is_some() {
        body["membership"] = membership.map_or("leave", |membership| membership.as_str()).into();
    }
    Ok(reply::json(body.to_string()))
}
