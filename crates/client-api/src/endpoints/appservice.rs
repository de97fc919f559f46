//! What application services alone may ask for
//! (<https://spec.matrix.org/v1.19/application-service-api/#client-server-api-extensions>).

mod request_ping;
mod set_room_visibility;

use std::sync::Arc;

use parvis_application_services::ApplicationService;
use parvis_wire::{Endpoint, Endpoints, MatrixError};

use crate::{ClientApi, Session};

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::typed(request_ping::handle))
        .with(Endpoint::typed(set_room_visibility::handle))
}

/// The application service that asks.
fn service(session: &Session) -> Result<&Arc<ApplicationService>, MatrixError> {
    let service = session.service.as_ref();
    service.ok_or_else(|| MatrixError::forbidden("This is for application services."))
}
