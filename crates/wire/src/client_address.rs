//! From where a request came, as whoever listens has found out.

use std::net::IpAddr;

/// The address of the client, with trusted proxies seen through. An extension of the request, put there by the
/// listener's layers; absent where there is no network (tests in one process).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);
