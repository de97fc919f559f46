//! The server-server API, one endpoint at a time.

#![expect(clippy::unwrap_used, reason = "tests")]

mod authentication;
mod discovery;
mod world;
