//! Tags that users put on rooms
//! (<https://spec.matrix.org/v1.19/client-server-api/#room-tagging>).

mod create_tag;
mod delete_tag;
mod get_tags;

use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::typed(create_tag::handle))
        .with(Endpoint::typed(delete_tag::handle))
        .with(Endpoint::with_own_reply(get_tags::handle))
}
