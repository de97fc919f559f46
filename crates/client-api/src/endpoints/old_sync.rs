//! What there was before `/sync`: deprecated, and still in the specification
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3events>).
//!
//! Each of these asks the same engine as `/sync`, and gives the answer its older shape. Tokens are those of `/sync`.

mod get_events;
mod get_one_event;
mod initial_sync;
mod room_initial_sync;

use std::{sync::Arc, time::Duration};

use http::Method;
use parvis_sync::{Filter, SyncRequest, Token};
use parvis_wire::{Endpoint, Endpoints, MatrixError};
use ruma::{api::client::filter::FilterDefinition, presence::PresenceState, uint};
use serde_json::{Map, Value};

use crate::ClientApi;

/// How many events of a timeline are told when nothing is said.
const USUAL_LIMIT: usize = 10;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    let own = |path, kind: &str| format!("/_matrix/client/{kind}/{path}");
    let (one, room) = ("events/{event_id}", "rooms/{room_id}/initialSync");
    Endpoints::new()
        .with(
            Endpoint::own(Method::GET, &own("events", "v3"), get_events::handle)
                .also_at(&own("events", "r0")),
        )
        .with(Endpoint::own(Method::GET, &own(one, "v3"), get_one_event::handle).also_at(&own(one, "r0")))
        .with(
            Endpoint::own(Method::GET, &own("initialSync", "v3"), initial_sync::handle)
                .also_at(&own("initialSync", "r0")),
        )
        .with(
            Endpoint::own(Method::GET, &own(room, "v3"), room_initial_sync::handle).also_at(&own(room, "r0")),
        )
}

/// Asks the engine for what is new since then, with at most so many events of each timeline.
fn request(api: &ClientApi, since: Option<Token>, limit: usize, timeout: Duration) -> SyncRequest {
    let mut definition = FilterDefinition::default();
    definition.room.timeline.limit = Some(u32::try_from(limit).map_or(uint!(100), Into::into));
    SyncRequest {
        since,
        timeout: timeout.min(api.bounds.longest_sync_wait),
        most_timeline_events: api.bounds.most_timeline_events,
        full_state: false,
        filter: Arc::new(Filter::from(&definition)),
        state_after: false,
        set_presence: PresenceState::Online,
    }
}

fn since(from: Option<&str>) -> Result<Option<Token>, MatrixError> {
    let token = from.map(str::parse::<Token>).transpose();
    token.map_err(|error| MatrixError::invalid_param(format!("`from` is {error}")))
}

/// A member of an object, taken out; an empty list where there is none.
fn take(value: &mut Value, path: &[&str]) -> Vec<Value> {
    let mut here = value;
    for name in path {
        match here.get_mut(*name) {
            Some(next) => here = next,
            None => return Vec::new(),
        }
    }
    match here.take() {
        Value::Array(list) => list,
        _ => Vec::new(),
    }
}

/// The rooms of one kind in the answer to a sync.
fn rooms(answer: &mut Value, kind: &str) -> Map<String, Value> {
    match answer.pointer_mut(&format!("/rooms/{kind}")).map(Value::take) {
        Some(Value::Object(rooms)) => rooms,
        _ => Map::new(),
    }
}
