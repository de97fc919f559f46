//! `GET /_matrix/client/v3/rooms/{roomId}/joined_members`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidjoined_members>).

use axum::response::Response;
use parvis_wire::Call;
use ruma::api::client::membership::joined_members::v3::Request;
use serde_json::{Map, Value, json};

use crate::{ApiError, ClientApi, Session, actor::actor, reply};

/// The joined members of a room, with their names and pictures; `null` for who has none.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let members = api.rooms.joined_members(&actor(&call), &call.request.room_id).await?;
    let joined = members.iter().filter_map(|event| {
        let user_id = event.pdu.state_key()?.to_owned();
        let content = event.pdu.member_content()?;
        Some((user_id, json!({ "display_name": content.displayname, "avatar_url": content.avatar_url })))
    });
    let joined: Map<String, Value> = joined.collect();
    Ok(reply::json(json!({ "joined": joined }).to_string()))
}
