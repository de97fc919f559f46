//! `GET /_matrix/federation/v1/hierarchy/{roomId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1hierarchyroomid>).

use axum::response::Response;
use parvis_rooms::PublicRoom;
use parvis_wire::Call;
use ruma::api::federation::space::get_hierarchy::v1::Request;
use serde_json::Value;

use crate::{ApiError, FederationApi, Origin, reply::Reply};

/// A room and those right below it, as far as the asking server may know of them.
pub(super) async fn handle(api: FederationApi, call: Call<Request, Origin>) -> Result<Response, ApiError> {
    let Request { room_id, suggested_only, .. } = &call.request;
    let found = api.rooms.serve_hierarchy(call.principal.server_name(), room_id, *suggested_only).await?;
    let children: Vec<Value> = found.children.iter().map(PublicRoom::summary).collect();
    let inaccessible: Value = found.inaccessible_children.iter().map(|room| room.as_str()).collect();
    let reply = Reply::new().value("room", found.room.to_json()).value("children", children);
    Ok(reply.value("inaccessible_children", inaccessible).done())
}
