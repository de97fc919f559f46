//! Room state.

mod get_state_event_for_key;
mod get_state_events;
mod send_state_event;

use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(also_without_key(Endpoint::with_own_reply(get_state_event_for_key::handle)))
        .with(Endpoint::with_own_reply(get_state_events::handle))
        .with(also_without_key(Endpoint::with_own_reply(send_state_event::handle)))
}

/// An empty state key may be left out, with or without the slash before it
/// (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey>).
fn also_without_key(endpoint: Endpoint<ClientApi>) -> Endpoint<ClientApi> {
    ["r0", "v3"].into_iter().fold(endpoint, |endpoint, version| {
        let path = format!("/_matrix/client/{version}/rooms/{{room_id}}/state/{{event_type}}");
        endpoint.also_at(&path).also_at(&format!("{path}/"))
    })
}
