//! Events of rooms that the asking server is in, and the states that they met.
//! <https://spec.matrix.org/v1.19/server-server-api/#retrieving-events>

mod event_relationships;
mod get_backfill;
mod get_event;
mod get_event_authorization;
mod get_event_by_timestamp;
mod get_missing_events;
mod get_room_state;
mod get_room_state_ids;

use axum::response::Response;
use parvis_events::Pdu;
use parvis_wire::{Endpoint, Endpoints, MatrixError};
use tokio::sync::SemaphorePermit;

use crate::{FederationApi, reply::Reply};

pub(super) fn endpoints() -> Endpoints<FederationApi> {
    Endpoints::new()
        .with(Endpoint::with_own_reply(event_relationships::handle))
        .with(Endpoint::with_own_reply(get_backfill::handle))
        .with(Endpoint::with_own_reply(get_event::handle))
        .with(Endpoint::with_own_reply(get_event_authorization::handle))
        .with(Endpoint::typed(get_event_by_timestamp::handle))
        .with(Endpoint::with_own_reply(get_missing_events::handle))
        .with(Endpoint::with_own_reply(get_room_state::handle))
        .with(Endpoint::with_own_reply(get_room_state_ids::handle))
}

/// Events in the form of a transaction.
fn transaction(api: &FederationApi, pdus: &[Pdu]) -> Response {
    Reply::new()
        .value("origin", api.rooms.server_name().as_str())
        .value("origin_server_ts", u64::from(api.now().get()))
        .pdus("pdus", pdus)
        .done()
}

/// Waits until few enough whole states are being worked out.
async fn turn(api: &FederationApi) -> Result<SemaphorePermit<'_>, MatrixError> {
    api.heavy.acquire().await.map_err(MatrixError::internal)
}
