//! Other networks
//! (<https://spec.matrix.org/v1.19/client-server-api/#third-party-networks>).

mod get_protocols;

use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new().with(Endpoint::typed(get_protocols::handle))
}
