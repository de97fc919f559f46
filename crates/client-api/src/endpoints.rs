//! All endpoints, by section. A section's module lists its endpoints; each has a file of its own.

mod authenticated_media;
mod discovery;
mod media;

use parvis_wire::Endpoints;

use crate::ClientApi;

pub(crate) fn all() -> Endpoints<ClientApi> {
    Endpoints::new()
        .merge(authenticated_media::endpoints())
        .merge(discovery::endpoints())
        .merge(media::endpoints())
}
