//! Who is there.

mod get_presence;
mod set_presence;

use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new().with(Endpoint::typed(get_presence::handle)).with(Endpoint::typed(set_presence::handle))
}
