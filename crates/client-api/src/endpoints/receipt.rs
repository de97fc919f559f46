//! How far users have read.

mod create_receipt;

use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new().with(Endpoint::typed(create_receipt::handle))
}
