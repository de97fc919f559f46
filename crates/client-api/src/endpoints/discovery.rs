//! What clients and servers find out before anything else
//! (<https://spec.matrix.org/v1.19/client-server-api/#server-discovery>).

mod discover_homeserver;
mod discover_server;
mod discover_support;
mod get_capabilities;
mod get_supported_versions;

use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::with_own_reply(get_capabilities::handle))
        .with(Endpoint::typed(get_supported_versions::handle))
        .with(Endpoint::with_own_reply(discover_homeserver::handle))
        .with(Endpoint::streaming::<discover_server::Request, _, _, _>(discover_server::handle))
        .with(Endpoint::typed(discover_support::handle))
}
