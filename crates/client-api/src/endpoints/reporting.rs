//! Reporting content to the administrators
//! (<https://spec.matrix.org/v1.19/client-server-api/#reporting-content>).

mod report_content;
mod report_room;
mod report_user;

use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::typed(report_content::handle))
        .with(Endpoint::typed(report_room::handle))
        .with(Endpoint::typed(report_user::handle))
}
