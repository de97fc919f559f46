//! The directory of users
//! (<https://spec.matrix.org/v1.19/client-server-api/#user-directory>).

mod search_users;

use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new().with(Endpoint::typed(search_users::handle))
}
