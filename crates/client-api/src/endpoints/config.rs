//! Account data: what clients keep here for themselves
//! (<https://spec.matrix.org/v1.19/client-server-api/#client-config>).

mod delete_account_data;
mod get_global_account_data;
mod get_room_account_data;
mod set_global_account_data;
mod set_room_account_data;

use http::Method;
use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

/// The largest piece of account data.
const BODY_LIMIT_BYTES: usize = 1 << 20;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::own(Method::DELETE, delete_account_data::GLOBAL, delete_account_data::handle))
        .with(Endpoint::own(Method::DELETE, delete_account_data::OF_ROOM, delete_account_data::handle))
        .with(Endpoint::typed(get_global_account_data::handle))
        .with(Endpoint::typed(get_room_account_data::handle))
        .with(Endpoint::typed(set_global_account_data::handle).with_body_limit(BODY_LIMIT_BYTES))
        .with(Endpoint::typed(set_room_account_data::handle).with_body_limit(BODY_LIMIT_BYTES))
}
