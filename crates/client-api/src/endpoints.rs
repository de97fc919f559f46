//! All endpoints, by section. A section's module lists its endpoints; each has a file of its own.

mod discovery;

use parvis_wire::Endpoints;

use crate::ClientApi;

pub(crate) fn all() -> Endpoints<ClientApi> {
    Endpoints::new().merge(discovery::endpoints())
}
