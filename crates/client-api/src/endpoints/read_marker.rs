//! How far users have read, in one request.

mod set_read_marker;

use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new().with(Endpoint::typed(set_read_marker::handle))
}
