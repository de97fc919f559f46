//! What clients and servers find out before anything else.

mod discover_homeserver;
mod discover_server;
mod discover_support;
mod get_capabilities;
mod get_supported_versions;
