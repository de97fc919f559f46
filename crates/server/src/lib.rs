//! Parvis as a process: configuration, wiring, listeners, telemetry and shutdown.
//!
//! A homeserver is a value; this crate composes it from the engines and lets it be reached. It knows no rule of
//! Matrix.

pub mod config;
