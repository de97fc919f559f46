//! Every difference between the two engines in the text of a statement, by name.

use crate::{
    engine::{Connection, Engine, Pools},
    statement::Statement,
};

/// Locks the rows that a `SELECT` finds until the transaction ends. SQLite has one writer and needs no lock.
pub(crate) fn lock_rows(engine: &Engine, select: String) -> String {
    match &engine.pools {
        Pools::Sqlite { .. } => select,
        Pools::Postgres(_) => select + " FOR UPDATE",
    }
}

/// The text of a multi-row insert. To bind a parameter that has a name, SQLite goes through the names of all: with
/// tens of thousands, that takes longer than everything else. Where they have none, they go by their order.
pub(crate) fn insert_rows(connection: &Connection, statement: &Statement, rows: usize) -> String {
    match connection {
        Connection::Sqlite(_) => statement.expand_without_names(rows),
        Connection::Postgres(_) => statement.expand(rows),
    }
}
