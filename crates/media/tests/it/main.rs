//! What the media engine promises, on a store of its own.

#![expect(clippy::unwrap_used, reason = "tests")]

mod files;
mod images;
mod previews;
mod remote;
mod two_steps;
mod world;
