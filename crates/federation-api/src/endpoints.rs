//! All endpoints, by section. A section's module lists its endpoints; each has a file of its own.

mod authenticated_media;
mod device;
mod directory;
mod discovery;
mod event;
mod keys;
mod membership;
mod openid;
mod query;
mod space;
mod thirdparty;
mod transactions;

use parvis_wire::Endpoints;

use crate::FederationApi;

pub(crate) fn all() -> Endpoints<FederationApi> {
    Endpoints::new()
        .merge(authenticated_media::endpoints())
        .merge(device::endpoints())
        .merge(directory::endpoints())
        .merge(discovery::endpoints())
        .merge(event::endpoints())
        .merge(keys::endpoints())
        .merge(membership::endpoints())
        .merge(openid::endpoints())
        .merge(query::endpoints())
        .merge(space::endpoints())
        .merge(transactions::endpoints())
        .merge(thirdparty::endpoints())
}
