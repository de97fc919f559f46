//! The search on a store of its own, with events that are written straight into it.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod filling;
mod following;
mod world;
