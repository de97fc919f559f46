//! `GET /_matrix/federation/v1/make_knock/{roomId}/{userId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_knockroomiduserid>).

use parvis_wire::Call;
use ruma::api::federation::membership::prepare_knock_event::v1::{Request, Response};

use super::check_acl;
use crate::{ApiError, FederationApi, Origin};

/// The template of a knock.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let Request { room_id, user_id, ver, .. } = &call.request;
    check_acl(&api, &call.principal, room_id).await?;
    let template = api.rooms.make_knock(call.principal.server_name(), room_id, user_id, ver).await?;
    Ok(Response::new(template.version.id().clone(), template.event))
}
