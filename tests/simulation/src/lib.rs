//! Whole worlds of homeservers, from seeds: people act on several servers at once, the network fails, machines
//! crash, a server lies; and in the end all honest servers must hold the same rooms.
//!
//! [`run`] plays the world of one seed and says what it found. Nothing here knows how a homeserver works inside:
//! people speak the client API, and in the end the databases are asked what became of each event.

#![expect(clippy::unwrap_used, reason = "a tool for tests, which ends so")]

mod bounds;
mod check;
mod follow;
mod liar;
mod people;
mod report;
mod story;

pub use liar::Lies;
pub use parvis_testkit::simulated::Planted;
pub use report::{Report, Tally};
pub use story::{Settings, run};
