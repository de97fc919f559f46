//! Spaces: what a room shows of itself and of the rooms in it.
//! <https://spec.matrix.org/v1.19/server-server-api/#spaces>

mod get_hierarchy;

use parvis_wire::{Endpoint, Endpoints};

use crate::FederationApi;

pub(super) fn endpoints() -> Endpoints<FederationApi> {
    Endpoints::new().with(Endpoint::with_own_reply(get_hierarchy::handle))
}
