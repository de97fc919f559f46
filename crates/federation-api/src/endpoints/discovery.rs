//! Who this server is: its version, its keys, and the keys of others that it vouches for.
//!
//! Nobody needs to say who they are to ask, and all are answered, whoever the organisation federates with.

mod get_remote_server_keys;
mod get_remote_server_keys_batch;
mod get_server_keys;
mod get_server_version;

use axum::response::Response;
use parvis_peers::KeyQuery;
use parvis_wire::{Endpoint, Endpoints};

use crate::{FederationApi, reply::json};

pub(super) fn endpoints() -> Endpoints<FederationApi> {
    Endpoints::new()
        .with(Endpoint::with_own_reply(get_remote_server_keys::handle))
        .with(Endpoint::with_own_reply(get_remote_server_keys_batch::handle))
        // Servers of old name the key that they want.
        .with(Endpoint::with_own_reply(get_server_keys::handle).also_at("/_matrix/key/v2/server/{key_id}"))
        .with(Endpoint::typed(get_server_version::handle))
}

/// The documents that answer a query.
async fn answer(api: &FederationApi, query: &KeyQuery) -> Response {
    let documents = api.keys.of_others(query).await;
    json(format!("{{\"server_keys\":[{}]}}", documents.join(",")))
}
