//! Worlds for tests, in two lines: homeservers on databases of their own, and people who use them.
//!
//! ```no_run
//! # async fn test() {
//! let server = parvis_testkit::Server::start(&parvis_testkit::Engine::Sqlite).await;
//! let alice = server.user("alice").await;
//! # }
//! ```
//!
//! A [`Network`] is several homeservers in one process that federate.
//!
//! A [`Gateway`] is told what phones are told.
//!
//! A [`Server`] runs in the test's own process, a [`Program`] is the real `parvis serve`, which can be killed.
//! Both are spoken to over HTTP on loopback, in plain JSON, by a [`User`] who knows the public client API and
//! nothing of the server's insides. Whatever is not as a test needs it ends the test with the request and the
//! answer.

#![expect(clippy::unwrap_used, reason = "for tests, which end so")]

mod answer;
mod application_service;
mod client;
mod engine;
mod follower;
mod gateway;
mod network;
mod peer;
mod program;
mod server;
mod setup;
pub mod simulated;
mod slapd;
mod user;
mod wires;
mod within;

pub use answer::Answer;
pub use application_service::ApplicationService;
pub use client::{Client, NoAnswer};
pub use engine::Engine;
pub use follower::{Follower, ephemeral, joined, messages_in, timeline};
pub use gateway::Gateway;
pub use network::Network;
pub use peer::Peer;
pub use program::Program;
pub use server::Server;
pub use slapd::{Entry, Slapd};
pub use user::{PASSWORD, User};
pub use wires::Asked;
pub use within::client_within;
