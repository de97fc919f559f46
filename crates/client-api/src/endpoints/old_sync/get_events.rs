//! `GET /_matrix/client/v3/events`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3events>).

use std::time::Duration;

use axum::response::Response;
use parvis_wire::{Call, json_response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{request, rooms, since, take};
use crate::{ApiError, ClientApi, Session, actor::reader, query::parse_query, reply};

/// How many events of a room are told at once.
const LIMIT: usize = 100;

/// The query string.
#[derive(Deserialize)]
struct Asked {
    from: Option<String>,
    timeout: Option<u64>,
    room_id: Option<String>,
}

/// What is new, of all rooms or of one, in one list. Without a token, from now on.
pub(super) async fn handle(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    let asked: Asked = parse_query(&call.parts.uri)?;
    let reader = reader(&call.principal);
    let since = match since(asked.from.as_deref())? {
        Some(since) => since,
        None => api.sync.sync(reader, &request(&api, None, 1, Duration::ZERO)).await?.next,
    };
    let start = since.to_string();
    let timeout = Duration::from_millis(asked.timeout.unwrap_or_default());
    let request = request(&api, Some(since), LIMIT, timeout);
    let answer = api.sync.sync(reader, &request).await?;
    let (end, mut answer) = (answer.next.to_string(), reply::sync_value(&answer, &request.filter));
    let mut chunk = take(&mut answer, &["presence", "events"]);
    for kind in ["join", "leave", "invite", "knock"] {
        for (room_id, mut room) in rooms(&mut answer, kind) {
            if asked.room_id.as_ref().is_some_and(|wanted| *wanted != room_id) {
                continue;
            }
            let mut events = take(&mut room, &["timeline", "events"]);
            events.extend(take(&mut room, &["ephemeral", "events"]));
            events.extend(take(&mut room, &["invite_state", "events"]));
            events.extend(take(&mut room, &["knock_state", "events"]));
            for event in &mut events {
                event["room_id"] = Value::from(room_id.as_str());
            }
            chunk.append(&mut events);
        }
    }
    Ok(json_response(&json!({ "start": start, "end": end, "chunk": chunk })))
}
