//! Devices of this server's users
//! (<https://spec.matrix.org/v1.19/server-server-api/#device-management>).

mod get_devices;

use parvis_wire::{Endpoint, Endpoints};

use crate::FederationApi;

pub(super) fn endpoints() -> Endpoints<FederationApi> {
    Endpoints::new().with(Endpoint::typed(get_devices::handle))
}
