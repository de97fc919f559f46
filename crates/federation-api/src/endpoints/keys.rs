//! Keys of this server's users
//! (<https://spec.matrix.org/v1.19/server-server-api/#end-to-end-encryption>).

mod claim_keys;
mod get_keys;

use parvis_wire::{Endpoint, Endpoints};

use crate::FederationApi;

pub(super) fn endpoints() -> Endpoints<FederationApi> {
    Endpoints::new().with(Endpoint::typed(claim_keys::handle)).with(Endpoint::typed(get_keys::handle))
}
