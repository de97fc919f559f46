//! Accounts: making, changing and closing them
//! (<https://spec.matrix.org/v1.19/client-server-api/#account-registration-and-management>).

mod register;
mod whoami;

use parvis_wire::{Endpoint, Endpoints};
use ruma::api::client::account;

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::streaming::<account::register::v3::Request, _, _, _>(register::handle))
        .with(Endpoint::typed(whoami::handle))
}
