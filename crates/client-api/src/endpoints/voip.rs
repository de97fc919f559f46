//! Calls
//! (<https://spec.matrix.org/v1.19/client-server-api/#voice-over-ip>).

mod get_rtc_transports;
mod get_turn_server_info;

use http::Method;
use parvis_wire::{Endpoint, Endpoints};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    let transports = "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports";
    Endpoints::new().with(Endpoint::with_own_reply(get_turn_server_info::handle)).with(
        Endpoint::own(Method::GET, transports, get_rtc_transports::handle)
            .also_at("/_matrix/client/v1/rtc/transports"),
    )
}
