//! What clients are told, on SQLite and (where `PARVIS_TEST_POSTGRES` names a server) on PostgreSQL.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod cost;
mod elsewhere;
mod model;
mod others;
mod rooms;
mod view;
mod waiting;
mod world;
