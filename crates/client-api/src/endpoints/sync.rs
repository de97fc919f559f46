//! What is new.

mod sliding_request;
mod sliding_sync;
mod sliding_sync_v4;
mod sync_events;
mod waiting;

use http::Method;
use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    let unstable = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";
    Endpoints::new()
        .with(Endpoint::with_own_reply(sync_events::handle))
        .with(Endpoint::own(Method::POST, unstable, sliding_sync::handle))
        .with(Endpoint::own(Method::POST, "/_matrix/client/v4/sync", sliding_sync_v4::handle))
}
