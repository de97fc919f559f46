//! Searching what was said
//! (<https://spec.matrix.org/v1.19/client-server-api/#server-side-search>).

mod asked;
mod found;
mod search_events;
mod told;

use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new().with(Endpoint::with_own_reply(search_events::handle))
}
