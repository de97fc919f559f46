//! What clients are told, on SQLite and (where `PARVIS_TEST_POSTGRES` names a server) on PostgreSQL.

mod view;
mod world;
