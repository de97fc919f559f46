//! What every engine promises, told once and run on SQLite and (where `PARVIS_TEST_POSTGRES` names a server)
//! on PostgreSQL.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod contract;
mod e2ee;
mod media;
mod search;
mod world;
