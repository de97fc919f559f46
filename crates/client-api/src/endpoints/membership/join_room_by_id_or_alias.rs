//! `POST /_matrix/client/v3/join/{roomIdOrAlias}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3joinroomidoralias>).

use parvis_wire::Call;
use ruma::api::client::membership::join_room_by_id_or_alias::v3::{Request, Response};

use crate::{
    ApiError, ClientApi, Session,
    actor::actor,
    endpoints::membership::{carry_push_rule, find_room, more_content},
};

/// Joins a room by its id or one of its aliases.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let actor = actor(&call);
    api.limits.joins.check(&call.principal)?;
    let Request { room_id_or_alias, reason, via, .. } = &call.request;
    let (room_id, servers) = find_room(&api, room_id_or_alias, via).await?;
    api.rooms.join(&actor, &room_id, &servers, reason.as_deref(), &more_content(&call.body)).await?;
    carry_push_rule(&api, &call.principal, &room_id).await;
    Ok(Response::new(room_id))
}
