//! Parvis as a process: configuration, wiring, listeners, telemetry and shutdown.
//!
//! A [`Homeserver`] is a value; this crate composes it from the engines and lets it be reached. A process
//! ([`Process`]) holds as many as it is given. It knows no rule of Matrix.

mod attention;
pub mod config;
mod connections;
mod directory;

mod client_address;
mod engine_settings;
mod homeserver;
mod hosts;
mod listener;
mod logging;
mod mail;
mod metrics;
mod others;
mod passing;
mod process;
mod tls;

pub use homeserver::{
    Homeserver, StartError, begin_after_restore, explain_encryption, open_accounts, open_policy,
    own_public_key,
};
pub use logging::start_logging;
pub use others::network;
pub use parvis_outbound::OutboundStatus;
pub use parvis_rooms::RoomsStatus;
pub use process::{Process, ServeError};
