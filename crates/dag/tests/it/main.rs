//! Tests of `parvis-dag`, one module for each subject.
#![expect(clippy::unwrap_used, reason = "tests")]

mod against_ruma;
mod auth_create;
mod auth_events;
mod auth_federation;
mod auth_levels;
mod auth_membership;
mod auth_owned_state;
mod auth_third_party;
mod graph;
mod judge;
mod power;
mod resolution;
mod resolution_random;
mod visibility;
mod world;
