//! `GET /_matrix/client/v3/rooms/{roomId}/initialSync`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidinitialsync>).

use axum::response::Response;
use parvis_rooms::Direction;
use parvis_wire::{Call, MatrixError, json_response};
use ruma::RoomId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::USUAL_LIMIT;
use crate::{
    ApiError, ClientApi, Session,
    actor::{actor, reader},
    query::parse_query,
    reply,
};

/// The query string.
#[derive(Deserialize)]
struct Asked {
    limit: Option<usize>,
}

/// A room as it is, or as it was when the user left it.
pub(super) async fn handle(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    let asked: Asked = parse_query(&call.parts.uri)?;
    let room_id = call.request.first().map_or("", String::as_str);
    let room_id = RoomId::parse(room_id).map_err(|_| MatrixError::invalid_param("This is no room id."))?;
    let (actor, reader) = (actor(&call), reader(&call.principal));
    let state = api.rooms.state(&actor, &room_id).await?;
    let limit = asked.limit.unwrap_or(USUAL_LIMIT).clamp(1, api.bounds.most_messages);
    let page = api.rooms.messages(&actor, &room_id, None, None, Direction::Backward, limit).await?;
    let mut shown = api.view.show(reader, &page.events).await?;
    shown.reverse();
    let state = reply::state_events(&state).value();
    let is_own = |event: &&Value| {
        event["type"] == "m.room.member" && event["state_key"] == call.principal.user_id.as_str()
    };
    let own = state.as_array().into_iter().flatten().find(is_own);
    let membership = own.map_or(Value::from("leave"), |event| event["content"]["membership"].clone());
    let visibility = if api.rooms.is_listed(&room_id).await? { "public" } else { "private" };
    let mut messages = json!({ "end": page.start.to_string(), "chunk": reply::events_value(&shown) });
    // Events are read backwards: what the page calls its end lies before them.
    messages["start"] = page.end.unwrap_or(page.start).to_string().into();
    Ok(json_response(&json!({
        "room_id": room_id,
        "membership": membership,
        "messages": messages,
        "state": state,
        "visibility": visibility,
        "account_data": [],
    })))
}
