//! `GET /_matrix/client/v1/rooms/{roomId}/hierarchy`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidhierarchy>).

use axum::response::Response;
use parvis_events::stripped_state;
use parvis_rooms::{HierarchyQuery, HierarchyRoom};
use parvis_wire::Call;
use ruma::api::client::space::get_hierarchy::v1::Request;
use serde_json::{Value, json};

use crate::{ApiError, ClientApi, Session, actor::actor, reply};

/// The rooms below a space.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let number = |value: Option<ruma::UInt>| value.and_then(|value| usize::try_from(u64::from(value)).ok());
    let query = HierarchyQuery {
        suggested_only: call.request.suggested_only,
        max_depth: number(call.request.max_depth),
        limit: number(call.request.limit).unwrap_or(50).clamp(1, 50),
        from: call.request.from.clone(),
    };
    let page = api.rooms.hierarchy(&actor(&call), &call.request.room_id, &query).await?;
    let mut body = json!({ "rooms": page.rooms.iter().map(room).collect::<Vec<_>>() });
    if let Some(token) = page.next_batch {
        body["next_batch"] = token.into();
    }
    Ok(reply::json(body.to_string()))
}

fn room(room: &HierarchyRoom) -> Value {
    let mut body = reply::public_room(&room.summary);
    if !room.summary.allowed_rooms.is_empty() {
        body["allowed_room_ids"] = room.summary.allowed_rooms.iter().map(ToString::to_string).collect();
    }
    body["room_version"] = room.summary.room_version.as_str().into();
    if let Some(algorithm) = &room.summary.encryption {
        body["encryption"] = algorithm.as_str().into();
    }
    let children = room.children.iter().filter_map(|child| {
        let mut event: Value = serde_json::from_str(&stripped_state(&child.pdu)).ok()?;
        event["origin_server_ts"] = child.pdu.origin_server_ts().into();
        Some(event)
    });
    body["children_state"] = children.collect();
    body
}
