//! Devices that users lay by (<https://github.com/matrix-org/matrix-spec-proposals/pull/3814>). Not part of the
//! specification yet.

mod delete_dehydrated_device;
mod get_dehydrated_device;
mod get_events;
mod put_dehydrated_device;

use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::streaming::<delete_dehydrated_device::Request, _, _, _>(
            delete_dehydrated_device::handle,
        ))
        .with(Endpoint::streaming::<get_dehydrated_device::Request, _, _, _>(get_dehydrated_device::handle))
        .with(Endpoint::streaming::<get_events::Request, _, _, _>(get_events::handle))
        .with(Endpoint::streaming::<put_dehydrated_device::Request, _, _, _>(put_dehydrated_device::handle))
}
