//! The server crate, seen from outside.

#![expect(clippy::unwrap_used, reason = "tests")]

mod command_line;
mod config;
mod process;
mod world;
