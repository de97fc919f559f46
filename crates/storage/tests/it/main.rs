//! What every engine promises, told once and run on SQLite and (where `PARVIS_TEST_POSTGRES` names a server)
//! on PostgreSQL.

mod contract;
mod world;
