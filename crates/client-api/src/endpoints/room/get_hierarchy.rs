//! `GET /_matrix/client/v1/rooms/{roomId}/hierarchy`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidhierarchy>).

use axum::response::Response;
use parvis_rooms::{HierarchyQuery, HierarchyRoom};
use parvis_wire::Call;
use ruma::api::client::space::get_hierarchy::v1::Request;
use serde_json::json;

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
    let mut body = json!({ "rooms": page.rooms.iter().map(HierarchyRoom::to_json).collect::<Vec<_>>() });
    if let Some(token) = page.next_batch {
        body["next_batch"] = token.into();
    }
    Ok(reply::json(body.to_string()))
}
