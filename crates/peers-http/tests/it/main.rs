//! The real network, on loopback: name servers that a test sets up, and servers with certificates of a test's own
//! authority.

#![expect(clippy::unwrap_used, reason = "tests")]

mod discovery;
mod examination;
mod gateways;
mod guarded;
mod keys;
mod tls;
mod world;
