//! Messages to single devices
//! (<https://spec.matrix.org/v1.19/client-server-api/#send-to-device-messaging>).

mod send_event_to_device;

use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new().with(Endpoint::typed(send_event_to_device::handle))
}
