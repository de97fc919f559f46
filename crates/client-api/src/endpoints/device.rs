//! The user's devices
//! (<https://spec.matrix.org/v1.19/client-server-api/#device-management>).

mod delete_device;
mod delete_devices;
mod get_device;
mod get_devices;
mod update_device;

use parvis_accounts::Device as OwnDevice;
use parvis_wire::{Endpoint, Endpoints};
use ruma::{
    MilliSecondsSinceUnixEpoch, UInt,
    api::client::device::{self, Device},
};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::typed(get_device::handle))
        .with(Endpoint::typed(get_devices::handle))
        .with(Endpoint::with_own_reply(update_device::handle))
        .with(Endpoint::streaming::<device::delete_device::v3::Request, _, _, _>(delete_device::handle))
        .with(Endpoint::streaming::<device::delete_devices::v3::Request, _, _, _>(delete_devices::handle))
}

/// A device as clients see it.
fn device(own: OwnDevice) -> Device {
    let mut device = Device::new(own.device_id);
    device.display_name = own.display_name;
    device.last_seen_ip = own.last_seen_ip;
    let seen = own.last_seen_ts.and_then(|ts| UInt::try_from(ts).ok());
    device.last_seen_ts = seen.map(MilliSecondsSinceUnixEpoch);
    device
}
