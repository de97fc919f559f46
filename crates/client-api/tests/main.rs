//! The client-server API, one endpoint at a time.

#![expect(clippy::unwrap_used, reason = "tests")]

mod account;
mod addresses;
mod admin;
mod application_services;
mod authenticated_media;
mod backup;
mod config;
mod dehydrated_device;
mod device;
mod directory;
mod discovery;
mod entry;
mod event_relationships;
mod filter;
mod guests;
mod interactive;
mod invite_permission;
mod keys;
mod media;
mod membership;
mod message;
mod oauth;
mod old_sync;
mod presence;
mod profile;
mod push;
mod rate_limits;
mod read_marker;
mod receipt;
mod relations;
mod reporting;
mod room_state;
mod search;
mod session;
mod state;
mod sync;
mod tag;
mod thread_subscription;
mod to_device;
mod typing;
mod user_directory;
mod world;
