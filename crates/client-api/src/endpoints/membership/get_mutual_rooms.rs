//! `GET /_matrix/client/v1/mutual_rooms`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mutual_rooms>).

use axum::response::Response;
use parvis_wire::{Call, MatrixError, json_response};
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::json;

use crate::{ApiError, ClientApi, Session, query::parse_query};

pub(super) const PATH: &str = "/_matrix/client/v1/mutual_rooms";
/// Where it was before it came into the specification.
pub(super) const UNSTABLE: &str = "/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms";

/// How many rooms are told at once.
const AT_ONCE: usize = 100;

/// The query string. `from` is the last room of the page before.
#[derive(Deserialize)]
struct Asked {
    user_id: OwnedUserId,
    from: Option<String>,
}

/// The rooms in which the user is together with another one.
pub(super) async fn handle(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    let asked: Asked = parse_query(&call.parts.uri)?;
    if asked.user_id == call.principal.user_id {
        return Err(MatrixError::invalid_param("Everybody shares all rooms with themselves.").into());
    }
    let mut rooms = api.rooms.mutual_rooms(call.principal.user, &asked.user_id).await?;
    let count = rooms.len();
    if let Some(from) = &asked.from {
        if !rooms.iter().any(|room| room.as_str() == from) {
            return Err(MatrixError::invalid_param("`from` is no token of this server").into());
        }
        rooms.retain(|room| room.as_str() > from.as_str());
    }
    let next = rooms.get(AT_ONCE - 1).filter(|_| rooms.len() > AT_ONCE).cloned();
    rooms.truncate(AT_ONCE);
    let mut body = json!({ "joined": rooms, "count": count });
    if let Some(next) = next {
        body["next_batch"] = next.as_str().into();
    }
    Ok(json_response(&body))
}
