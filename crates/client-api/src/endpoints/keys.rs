//! Keys of devices and of users
//! (<https://spec.matrix.org/v1.19/client-server-api/#key-management-api>).

mod claim_keys;
mod get_key_changes;
mod get_keys;
mod upload_keys;
mod upload_signatures;
mod upload_signing_keys;

use std::time::Duration;

use parvis_wire::{Endpoint, Endpoints};
use ruma::api::client::keys;

use crate::ClientApi;

/// How long other servers are waited for, where the client does not say.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long other servers are waited for at most.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(20);

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::typed(claim_keys::handle))
        .with(Endpoint::typed(get_key_changes::handle))
        .with(Endpoint::typed(get_keys::handle))
        .with(Endpoint::typed(upload_keys::handle))
        .with(Endpoint::with_own_reply(upload_signatures::handle))
        .with(Endpoint::streaming::<keys::upload_signing_keys::v3::Request, _, _, _>(
            upload_signing_keys::handle,
        ))
}

/// How long other servers are waited for.
fn timeout(asked: Option<Duration>) -> Duration {
    asked.unwrap_or(TIMEOUT).min(LONGEST_TIMEOUT)
}
