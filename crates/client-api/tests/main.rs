//! The client-server API, one endpoint at a time.

#![expect(clippy::unwrap_used, reason = "tests")]

mod account;
mod authenticated_media;
mod discovery;
mod media;
mod session;
mod sync;
mod world;
