//! Entering and leaving rooms, and who is in them.

mod ban_user;
mod forget_room;
mod get_member_events;
mod get_mutual_rooms;
mod invite_user;
mod join_room_by_id;
mod join_room_by_id_or_alias;
mod joined_members;
mod joined_rooms;
mod kick_user;
mod knock_room;
mod leave_room;
mod unban_user;

use http::Method;
use parvis_wire::{Endpoint, Endpoints};
use ruma::{OwnedRoomId, OwnedRoomOrAliasId, OwnedServerName, RoomAliasId, RoomId};
use serde_json::{Map, Value};

use crate::{ApiError, ClientApi, Session, services::locate_alias};

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::typed(ban_user::handle))
        .with(Endpoint::typed(forget_room::handle))
        .with(Endpoint::with_own_reply(get_member_events::handle))
        .with(
            Endpoint::own(Method::GET, get_mutual_rooms::PATH, get_mutual_rooms::handle)
                .also_at(get_mutual_rooms::UNSTABLE),
        )
        .with(Endpoint::typed(invite_user::handle))
        .with(Endpoint::typed(join_room_by_id::handle))
        .with(Endpoint::typed(join_room_by_id_or_alias::handle))
        .with(Endpoint::with_own_reply(joined_members::handle))
        .with(Endpoint::typed(joined_rooms::handle))
        .with(Endpoint::typed(kick_user::handle))
        .with(Endpoint::typed(knock_room::handle))
        .with(Endpoint::typed(leave_room::handle))
        .with(Endpoint::typed(unban_user::handle))
}

/// The room that an id or an alias names, and the servers to enter it by: those that the client names first.
pub(crate) async fn find_room(
    api: &ClientApi,
    name: &OwnedRoomOrAliasId,
    via: &[OwnedServerName],
) -> Result<(OwnedRoomId, Vec<OwnedServerName>), ApiError> {
    let mut servers = via.to_vec();
    if let Ok(alias) = <&RoomAliasId>::try_from(&**name) {
        let (room_id, known) = locate_alias(api, alias).await?;
        servers.extend(known);
        return Ok((room_id, servers));
    }
    let room_id =
        RoomId::parse(name.as_str()).map_err(|_| parvis_wire::MatrixError::invalid_param("not a room id"))?;
    Ok((room_id, servers))
}

/// Gives the user's own push rule for the room whose place this one has taken to this one.
pub(crate) async fn carry_push_rule(api: &ClientApi, session: &Session, room_id: &RoomId) {
    let carried = async {
        let Some(old) = api.rooms.predecessor(room_id).await? else { return Ok(()) };
        api.accounts.carry_room_rule(session.user, &session.user_id, &old, room_id).await?;
        Ok::<_, ApiError>(())
    };
    if carried.await.is_err() {
        // The user is in the room, and may set the rule.
        tracing::warn!(user = session.user.0, %room_id, "a push rule was not carried into an upgraded room");
    }
}

/// What a client wants in its membership event beside what the endpoint knows.
pub(crate) fn more_content(body: &[u8]) -> Map<String, Value> {
    let mut content: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let own = ["reason", "third_party_signed", "membership", "displayname", "avatar_url", "is_direct"];
    content.retain(|field, _| !own.contains(&field.as_str()) && field != "join_authorised_via_users_server");
    content
}
