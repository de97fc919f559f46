//! `POST /_matrix/client/v3/knock/{roomIdOrAlias}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3knockroomidoralias>).

use parvis_wire::Call;
use ruma::api::client::knock::knock_room::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, actor::actor, endpoints::membership::find_room};

/// Asks to be let into a room.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let actor = actor(&call);
    api.limits.joins.check(&call.principal)?;
    let Request { room_id_or_alias, reason, via, .. } = &call.request;
    let (room_id, servers) = find_room(&api, room_id_or_alias, via).await?;
    api.rooms.knock(&actor, &room_id, &servers, reason.as_deref()).await?;
    Ok(Response::new(room_id))
}
