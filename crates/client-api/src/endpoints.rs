//! All endpoints, by section. A section's module lists its endpoints; each has a file of its own.

mod account;
mod authenticated_media;
mod discovery;
mod media;
mod session;

use parvis_wire::Endpoints;

use crate::ClientApi;

pub(crate) fn all() -> Endpoints<ClientApi> {
    Endpoints::new()
        .merge(account::endpoints())
        .merge(authenticated_media::endpoints())
        .merge(discovery::endpoints())
        .merge(media::endpoints())
        .merge(session::endpoints())
}
