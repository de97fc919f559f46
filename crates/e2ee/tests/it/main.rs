//! What passes between servers: messages to devices, and whose devices have changed.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod devices_elsewhere;
mod devices_here;
mod messages;
mod restored;
mod world;
