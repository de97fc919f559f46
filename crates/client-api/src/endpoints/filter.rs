//! Filters that clients keep here to sync by
//! (<https://spec.matrix.org/v1.19/client-server-api/#filtering>).

mod create_filter;
mod get_filter;

use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::typed(create_filter::handle))
        .with(Endpoint::with_own_reply(get_filter::handle))
}
