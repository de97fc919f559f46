//! Transactions: what other servers tell this one.
//! <https://spec.matrix.org/v1.19/server-server-api/#transactions>

mod send_transaction_message;

use parvis_wire::{Endpoint, Endpoints};

use crate::FederationApi;

pub(super) fn endpoints() -> Endpoints<FederationApi> {
    Endpoints::new().with(Endpoint::with_own_reply(send_transaction_message::handle))
}
