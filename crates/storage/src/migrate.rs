//! Bringing the schema up to date, and refusing one that is newer than this program.

use std::borrow::Cow;

use sqlx::{
    AssertSqlSafe, SqlSafeStr as _,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use crate::{
    engine::{Engine, Pools},
    error::StorageError,
};

macro_rules! migrations {
    ($($number:literal $name:literal),+ $(,)?) => {
        /// Number, name, text for SQLite, text for PostgreSQL.
        const MIGRATIONS: &[(i64, &str, &str, &str)] = &[$((
            $number,
            $name,
            include_str!(concat!("../../../migrations/sqlite/", $name, ".sql")),
            include_str!(concat!("../../../migrations/postgres/", $name, ".sql")),
        )),+];
    };
}

migrations! {
    1 "0001_core",
    2 "0002_accounts",
    3 "0003_media",
    4 "0004_federation",
    5 "0005_remote_media",
    6 "0006_graph",
    7 "0007_invites",
    8 "0008_outbound",
    9 "0009_e2ee",
    10 "0010_dehydrated",
    11 "0011_policy",
    12 "0012_moved_rooms",
    13 "0013_moderation",
    14 "0014_addresses",
    15 "0015_delayed_events",
    16 "0016_notices",
    17 "0017_search",
    18 "0018_application_services",
    19 "0019_push",
    20 "0020_thread_subscriptions",
    21 "0021_relationships",
    22 "0022_oauth",
    23 "0023_bumps",
    24 "0024_identity_providers",
    25 "0025_upstream_sessions",
}

fn migrator(engine: &Engine) -> Migrator {
    let migrations = MIGRATIONS.iter().map(|(number, name, sqlite, postgres)| {
        let text = match &engine.pools {
            Pools::Sqlite { .. } => *sqlite,
            Pools::Postgres(_) => *postgres,
        };
        Migration::new(*number, Cow::Borrowed(*name), MigrationType::Simple, text.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// Applies the migrations that the database lacks.
///
/// # Errors
/// [`StorageError::SchemaFromTheFuture`] if it has one that this program does not know.
pub(crate) async fn migrate(engine: &Engine) -> Result<(), StorageError> {
    let migrator = migrator(engine);
    let outcome = match &engine.pools {
        Pools::Sqlite { write, .. } => {
            // Each migration waits for the disk twice. Here it need not: the first ordinary commit takes all of them
            // to the disk with it, and what a crash takes away before that is done again. The pool has one connection.
            let usual: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(write).await?;
            sqlx::raw_sql("PRAGMA synchronous = NORMAL").execute(write).await?;
            let outcome = migrator.run(write).await;
            let restore = AssertSqlSafe(format!("PRAGMA synchronous = {usual}"));
            sqlx::raw_sql(restore).execute(write).await?;
            outcome
        }
        Pools::Postgres(pool) => migrator.run(pool).await,
    };
    outcome.map_err(|error| match error {
        MigrateError::VersionMissing(version) => StorageError::SchemaFromTheFuture(version),
        other => StorageError::Migration(other),
    })
}
