//! Who is typing.

mod create_typing_event;

use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new().with(Endpoint::typed(create_typing_event::handle))
}
