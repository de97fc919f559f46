//! Every difference between the two engines in the text of a statement, by name.

use crate::engine::{Engine, Pools};

/// Locks the rows that a `SELECT` finds until the transaction ends. SQLite has one writer and needs no lock.
pub(crate) fn lock_rows(engine: &Engine, select: String) -> String {
    match &engine.pools {
        Pools::Sqlite { .. } => select,
        Pools::Postgres(_) => select + " FOR UPDATE",
    }
}
