//! Calls
//! (<https://spec.matrix.org/v1.19/client-server-api/#voice-over-ip>).

mod get_turn_server_info;

use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new().with(Endpoint::with_own_reply(get_turn_server_info::handle))
}
