//! Sessions: logging in, going on, logging out
//! (<https://spec.matrix.org/v1.19/client-server-api/#legacy-login>).

mod get_login_token;
mod get_login_types;
mod login;
mod logout;
mod logout_all;
mod refresh_token;

use parvis_wire::{Endpoint, Endpoints};
use ruma::api::client::session;

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::streaming::<session::login::v3::Request, _, _, _>(login::handle))
        .with(Endpoint::streaming::<session::get_login_token::v1::Request, _, _, _>(get_login_token::handle))
        .with(Endpoint::with_own_reply(get_login_types::handle))
        .with(Endpoint::typed(logout::handle))
        .with(Endpoint::typed(logout_all::handle))
        .with(Endpoint::typed(refresh_token::handle).also_at("/_matrix/client/v1/refresh"))
}
