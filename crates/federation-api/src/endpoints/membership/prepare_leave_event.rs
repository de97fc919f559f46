//! `GET /_matrix/federation/v1/make_leave/{roomId}/{userId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_leaveroomiduserid>).

use parvis_wire::Call;
use ruma::api::federation::membership::prepare_leave_event::v1::{Request, Response};

use super::check_acl;
use crate::{ApiError, FederationApi, Origin};

/// The template of a departure.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let Request { room_id, user_id, .. } = &call.request;
    check_acl(&api, &call.principal, room_id).await?;
    let template = api.rooms.make_leave(call.principal.server_name(), room_id, user_id).await?;
    Ok(Response::new(Some(template.version.id().clone()), template.event))
}
