//! `GET /_matrix/client/v3/initialSync`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3initialsync>).

use std::time::Duration;

use axum::response::Response;
use parvis_wire::{Call, json_response};
use ruma::RoomId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{USUAL_LIMIT, request, rooms, take};
use crate::{ApiError, ClientApi, Session, actor::reader, query::parse_query, reply};

/// The query string.
#[derive(Deserialize)]
struct Asked {
    limit: Option<usize>,
}

/// The user's rooms as they are.
pub(super) async fn handle(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    let asked: Asked = parse_query(&call.parts.uri)?;
    let request = request(&api, None, asked.limit.unwrap_or(USUAL_LIMIT), Duration::ZERO);
    let answer = api.sync.sync(reader(&call.principal), &request).await?;
    let (end, mut answer) = (answer.next.to_string(), reply::sync_value(&answer, &request.filter));
    let mut told = Vec::new();
    for (room_id, mut room) in rooms(&mut answer, "join") {
        let start = room["timeline"]["prev_batch"].take();
        let visibility = match RoomId::parse(&room_id) {
            Ok(room_id) if api.rooms.is_listed(&room_id).await? => "public",
            _ => "private",
        };
        let mut state = take(&mut room, &["state", "events"]);
        let chunk = take(&mut room, &["timeline", "events"]);
        state.extend(chunk.iter().filter(|event| event.get("state_key").is_some()).cloned());
        told.push(json!({
            "room_id": room_id,
            "membership": "join",
            "messages": { "start": start, "end": end, "chunk": chunk },
            "state": state,
            "visibility": visibility,
            "account_data": take(&mut room, &["account_data", "events"]),
        }));
    }
    for (room_id, mut room) in rooms(&mut answer, "invite") {
        let state = take(&mut room, &["invite_state", "events"]);
        let own = |event: &&Value| event["state_key"] == call.principal.user_id.as_str();
        let invite = state.iter().find(own).cloned().unwrap_or_default();
        told.push(json!({ "room_id": room_id, "membership": "invite", "invite": invite, "state": state }));
    }
    Ok(json_response(&json!({
        "end": end,
        "rooms": told,
        "presence": take(&mut answer, &["presence", "events"]),
        "account_data": take(&mut answer, &["account_data", "events"]),
    })))
}
