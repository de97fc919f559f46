//! `GET /_matrix/client/v1/delayed_events`, and one of them.

use axum::response::Response;
use parvis_rooms::DelayedEvent;
use parvis_wire::{Call, MatrixError, json_response};
use ruma::RoomId;
use serde_json::{Value, json};

use crate::{ApiError, ClientApi, Session, actor::actor};

/// The events that the user has waiting, the next first.
pub(super) async fn all(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    let events = api.rooms.delayed_events(&actor(&call)).await?;
    let events: Vec<Value> = events.iter().map(|(room_id, event)| shown(room_id, event)).collect();
    Ok(json_response(&json!({ "delayed_events": events })))
}

/// One of them.
pub(super) async fn one(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    let delay_id = call.request.first().map_or("", String::as_str);
    let events = api.rooms.delayed_events(&actor(&call)).await?;
    let event = events.iter().find(|(_, event)| event.delay_id == delay_id);
    let (room_id, event) =
        event.ok_or_else(|| MatrixError::not_found("no event of yours with this name waits to be sent"))?;
    Ok(json_response(&shown(room_id, event)))
}

fn shown(room_id: &RoomId, event: &DelayedEvent) -> Value {
    let mut shown = json!({
        "delay_id": event.delay_id,
        "room_id": room_id,
        "type": event.kind,
        "delay": event.delay_ms,
        "running_since": event.began_ts,
        "content": event.content,
    });
    if let Some(key) = &event.state_key {
        shown["state_key"] = key.as_str().into();
    }
    shown
}
