//! Making rooms, and looking at single events, summaries and spaces.

mod create_room;
mod explain_encryption;
mod get_context;
mod get_event_by_timestamp;
mod get_hierarchy;
mod get_room_event;
mod get_summary;
mod upgrade_room;

use http::Method;
use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::typed(create_room::handle))
        .with(Endpoint::own(Method::GET, explain_encryption::PATH, explain_encryption::handle))
        .with(Endpoint::with_own_reply(get_context::handle))
        .with(Endpoint::typed(get_event_by_timestamp::handle))
        .with(Endpoint::with_own_reply(get_hierarchy::handle))
        .with(Endpoint::with_own_reply(get_room_event::handle))
        .with(Endpoint::with_own_reply(get_summary::handle).also_at(get_summary::UNSTABLE))
        .with(Endpoint::typed(upgrade_room::handle))
}
