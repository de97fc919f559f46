//! The client-server API, one endpoint at a time.

#![expect(clippy::unwrap_used, reason = "tests")]

mod account;
mod authenticated_media;
mod backup;
mod config;
mod dehydrated_device;
mod device;
mod discovery;
mod filter;
mod interactive;
mod keys;
mod media;
mod membership;
mod message;
mod old_sync;
mod presence;
mod profile;
mod push;
mod rate_limits;
mod read_marker;
mod receipt;
mod session;
mod sync;
mod tag;
mod to_device;
mod typing;
mod user_directory;
mod world;
