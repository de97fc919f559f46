//! Questions about what this server's users call themselves and their rooms.
//! <https://spec.matrix.org/v1.19/server-server-api/#querying-for-information>

mod get_custom_information;
mod get_profile_information;
mod get_room_information;

use parvis_wire::{Endpoint, Endpoints};

use crate::FederationApi;

pub(super) fn endpoints() -> Endpoints<FederationApi> {
    Endpoints::new()
        .with(Endpoint::typed(get_custom_information::handle))
        .with(Endpoint::typed(get_profile_information::handle))
        .with(Endpoint::typed(get_room_information::handle))
}
