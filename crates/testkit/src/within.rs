//! Requests to a homeserver of this process by a call into its router: no socket, no listener.

use parvis_server::Homeserver;

use crate::{Client, wires::door_to};

/// Somebody who has not logged in, and asks this homeserver by calls.
pub fn client_within(homeserver: &Homeserver) -> Client {
    let door = door_to(homeserver.router());
    Client::direct(move |request| door(request))
}
