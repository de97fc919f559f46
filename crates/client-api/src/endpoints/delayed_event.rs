//! Events that are sent later (<https://github.com/matrix-org/matrix-spec-proposals/pull/4140>).

mod act_on_delayed_event;
mod get_delayed_events;
mod send_delayed_event;

use std::time::Duration;

use axum::response::Response;
use http::{Method, request::Parts};
use parvis_rooms::{Actor, NewDelayedEvent};
use parvis_wire::{Endpoint, Endpoints, MatrixError, json_response};
use ruma::RoomId;
use serde::Deserialize;
use serde_json::json;

use crate::{ApiError, ClientApi, query::parse_query};

/// The parameter of a request to send an event that has it sent later, in milliseconds.
const DELAY: &str = "org.matrix.msc4140.delay=";

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    let (old, new) = ("/_matrix/client/unstable/org.matrix.msc4140", "/_matrix/client/v1");
    let send = format!("{old}/rooms/{{room_id}}/delayed_event/{{event_type}}/{{txn_id}}");
    let one = |prefix: &str| format!("{prefix}/delayed_events/{{delay_id}}");
    let action = |prefix: &str| format!("{prefix}/delayed_events/{{delay_id}}/{{action}}");
    Endpoints::new()
        .with(
            Endpoint::own(Method::PUT, &send, send_delayed_event::handle)
                .also_at("/_matrix/client/v3/rooms/{room_id}/delayed_event/{event_type}/{txn_id}"),
        )
        .with(
            Endpoint::own(Method::GET, &format!("{old}/delayed_events"), get_delayed_events::all)
                .also_at(&format!("{new}/delayed_events")),
        )
        .with(Endpoint::own(Method::GET, &one(old), get_delayed_events::one).also_at(&one(new)))
        .with(Endpoint::open(Method::POST, &one(old), act_on_delayed_event::in_body))
        .with(Endpoint::open(Method::POST, &action(old), act_on_delayed_event::in_path).also_at(&action(new)))
}

/// After what time a request to send an event wants it to be sent; `None` for at once.
pub(crate) fn delay(parts: &Parts) -> Result<Option<Duration>, MatrixError> {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(rename = "org.matrix.msc4140.delay")]
        delay: u64,
    }
    if !parts.uri.query().unwrap_or_default().split('&').any(|pair| pair.starts_with(DELAY)) {
        return Ok(None);
    }
    Ok(Some(Duration::from_millis(parse_query::<Asked>(&parts.uri)?.delay)))
}

/// Takes an event that is to be sent later, and answers with its name.
pub(crate) async fn answer_later(
    api: &ClientApi,
    actor: &Actor,
    room_id: &RoomId,
    new: NewDelayedEvent,
) -> Result<Response, ApiError> {
    let delay_id = api.rooms.delay(actor, room_id, new).await?;
    Ok(json_response(&json!({ "delay_id": delay_id })))
}
