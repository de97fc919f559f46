//! The databases at hand.

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};

use parvis_storage::fresh_schema;

/// A kind of database to run a test on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file in a directory of its own.
    Sqlite,
    /// A schema of its own in the database at this URL.
    Postgres(String),
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        })
    }
}

impl Engine {
    /// SQLite; and PostgreSQL, where `PARVIS_TEST_POSTGRES` names a server.
    #[expect(clippy::disallowed_methods, reason = "tests are configured by the environment")]
    pub fn at_hand() -> Vec<Self> {
        let postgres = std::env::var("PARVIS_TEST_POSTGRES").ok().map(Self::Postgres);
        std::iter::once(Self::Sqlite).chain(postgres).collect()
    }

    /// The URL of an empty schema, for PostgreSQL.
    pub(crate) async fn new_schema(&self) -> Option<String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Self::Postgres(server) = self else { return None };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let schema = format!("testkit_{}_{number}", std::process::id());
        Some(fresh_schema(server, &schema).await.unwrap())
    }
}
