//! Invitations to third parties. <https://spec.matrix.org/v1.19/server-server-api/#third-party-invites>

mod bind_callback;
mod exchange_invite;

use parvis_wire::{Endpoint, Endpoints};

use crate::FederationApi;

pub(super) fn endpoints() -> Endpoints<FederationApi> {
    Endpoints::new()
        .with(Endpoint::typed(bind_callback::handle))
        .with(Endpoint::typed(exchange_invite::handle))
}
