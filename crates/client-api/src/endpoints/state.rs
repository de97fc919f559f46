//! Room state.

mod get_state_event_for_key;
mod get_state_events;
mod send_state_event;

use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::with_own_reply(get_state_event_for_key::handle))
        .with(Endpoint::with_own_reply(get_state_events::handle))
        .with(Endpoint::typed(send_state_event::handle))
}
