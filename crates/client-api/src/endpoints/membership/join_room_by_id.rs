//! `POST /_matrix/client/v3/rooms/{roomId}/join`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidjoin>).

use parvis_wire::Call;
use ruma::api::client::membership::join_room_by_id::v3::{Request, Response};

use crate::{
    ApiError, ClientApi, Session,
    actor::actor,
    endpoints::membership::{carry_push_rule, more_content},
};

/// Joins a room.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let actor = actor(&call);
    api.limits.joins.check(&call.principal)?;
    let Request { room_id, reason, .. } = &call.request;
    if call.principal.guest {
        api.rooms.must_let_guests_in(room_id).await?;
    }
    api.rooms.join(&actor, room_id, &[], reason.as_deref(), &more_content(&call.body)).await?;
    carry_push_rule(&api, &call.principal, room_id).await;
    Ok(Response::new(room_id.clone()))
}
