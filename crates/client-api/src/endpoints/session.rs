//! Sessions: logging in, going on, logging out
//! (<https://spec.matrix.org/v1.19/client-server-api/#legacy-login>).

mod login;
mod logout;
mod logout_all;

use parvis_wire::{Endpoint, Endpoints};
use ruma::api::client::session;

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::streaming::<session::login::v3::Request, _, _, _>(login::handle))
        .with(Endpoint::typed(logout::handle))
        .with(Endpoint::typed(logout_all::handle))
}
