//! Other networks, as application services know them
//! (<https://spec.matrix.org/v1.19/client-server-api/#third-party-networks>).

mod get_location_for_protocol;
mod get_location_for_room_alias;
mod get_protocol;
mod get_protocols;
mod get_user_for_protocol;
mod get_user_for_user_id;

use http::request::Parts;
use parvis_wire::{Endpoint, Endpoints};

use crate::{ClientApi, Session};

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    const OLD: &str = "/_matrix/client/unstable/thirdparty";
    let old = |rest: &str| format!("{OLD}/{rest}");
    Endpoints::new()
        .with(Endpoint::with_own_reply(get_protocols::handle).also_at(&old("protocols")))
        .with(Endpoint::with_own_reply(get_protocol::handle).also_at(&old("protocol/{protocol}")))
        .with(Endpoint::with_own_reply(get_user_for_protocol::handle).also_at(&old("user/{protocol}")))
        .with(
            Endpoint::with_own_reply(get_location_for_protocol::handle).also_at(&old("location/{protocol}")),
        )
        .with(Endpoint::with_own_reply(get_user_for_user_id::handle).also_at(&old("user")))
        .with(Endpoint::with_own_reply(get_location_for_room_alias::handle).also_at(&old("location")))
}

/// The query string for the application services: what the client asks, without what says who asks.
fn question(parts: &Parts, session: &Session) -> String {
    let is_for_us = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        name == "access_token"
            || (session.service.is_some()
                && matches!(name, "user_id" | "device_id" | "org.matrix.msc3202.device_id"))
    };
    let query = parts.uri.query().unwrap_or_default();
    query.split('&').filter(|pair| !pair.is_empty() && !is_for_us(pair)).collect::<Vec<_>>().join("&")
}
