//! Accounts: making, changing and closing them
//! (<https://spec.matrix.org/v1.19/client-server-api/#account-registration-and-management>).

mod change_password;
mod check_registration_token_validity;
mod deactivate;
mod get_3pids;
mod get_username_availability;
mod register;
mod request_openid_token;
mod whoami;

use parvis_wire::{Endpoint, Endpoints};
use ruma::api::client::account;

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::streaming::<account::register::v3::Request, _, _, _>(register::handle))
        .with(Endpoint::streaming::<account::change_password::v3::Request, _, _, _>(change_password::handle))
        .with(Endpoint::streaming::<account::deactivate::v3::Request, _, _, _>(deactivate::handle))
        .with(Endpoint::typed(check_registration_token_validity::handle))
        .with(Endpoint::typed(get_username_availability::handle))
        .with(Endpoint::typed(get_3pids::handle))
        .with(Endpoint::typed(request_openid_token::handle))
        .with(Endpoint::typed(whoami::handle))
}
