//! The door to other servers, opened onto the real network.
//!
//! [`HttpTransport`] carries requests over HTTP and TLS to wherever server discovery leads, and to push gateways, and
//! only to addresses that an [`AddressGuard`] permits. [`Guarded`] stands before it, or before a simulated network: it knows with
//! whom the organisation speaks and who is left in peace after failures. [`KeyRing`] knows the keys that others sign
//! with, and vouches for them as a notary. This crate knows nothing of rooms, nor
//! of what the organisation's policy says; it is told.

mod address_guard;
mod answer;
mod back_off;
mod certificate;
mod dns;
mod examination;
mod gateways;
mod guarded;
mod http_transport;
mod key_document;
mod key_ring;
mod known_keys;
mod locate;
mod notary;
mod one_at_a_time;
mod own_keys;
mod pages;
mod route;
mod services;
mod slots;
mod trust;
mod web;
mod well_known;

pub use address_guard::{AddressGuard, AddressRange};
pub use dns::{Dns, DnsError, Service, SystemDns};
pub use examination::{Finding, Verdict};
pub use guarded::{Admits, Guarded};
pub use http_transport::{HttpError, HttpSettings, HttpTransport};
pub use key_ring::KeyRing;
pub use locate::Ports;
pub use trust::{TrustRoots, UnusableRoots};
