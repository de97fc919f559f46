//! The two engines behind one face: connections, and running registered statements on them.
//!
//! Nothing above this module knows which engine it speaks to. SQLite has one writing connection, held by the
//! writer, and a pool of reading ones; PostgreSQL has one pool.

use std::{
    fmt::Write as _,
    path::PathBuf,
    str::FromStr as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, Either, Executor as _, PgPool, Postgres, Sqlite, SqlitePool,
    pool::PoolConnection,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions},
    sqlite::{
        SqliteArguments, SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
        SqliteSynchronous,
    },
};

use crate::{
    error::StorageError,
    pace::{StorePace, Turn, Work, turn},
    statement::Statement,
    value::{Row, Value},
};

/// Where an organisation's data lives.
#[derive(Clone, Debug)]
pub enum DatabaseSettings {
    /// The embedded engine: one file, made if absent.
    Sqlite {
        /// The database file.
        path: PathBuf,
        /// How many connections read at once.
        readers: u32,
        /// Whether a power cut may lose the last commits (never corrupt them), in exchange for speed.
        relaxed_durability: bool,
    },
    /// A PostgreSQL server.
    Postgres {
        /// `postgres://user:password@host:port/database`.
        url: String,
        /// How many connections are open at most.
        connections: u32,
    },
}

/// Which engine a store runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// SQLite, embedded.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// The reading side of an engine.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub(crate) pools: Pools,
    /// How many reading statements were run.
    reads: Arc<AtomicU64>,
    pace: StorePace,
}

/// The connections to a database.
#[derive(Clone, Debug)]
pub(crate) enum Pools {
    Sqlite { read: SqlitePool, write: SqlitePool },
    Postgres(PgPool),
}

/// One connection, in or out of a transaction. Used by the writer.
pub(crate) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

const STATEMENT_CACHE: usize = 512;

/// What all connections to an SQLite database have in common. What a connection writes when it is opened is for the
/// writing one alone: the reading ones are opened while that may be in a transaction.
fn sqlite_options(path: &PathBuf, relaxed_durability: bool) -> SqliteConnectOptions {
    let synchronous = if relaxed_durability { SqliteSynchronous::Normal } else { SqliteSynchronous::Full };
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(false)
        .pragma("temp_store", "MEMORY")
        .pragma("journal_size_limit", "67108864")
        .statement_cache_capacity(STATEMENT_CACHE)
}

impl Engine {
    /// Connects to the database; for SQLite, makes the file and its directory.
    pub(crate) async fn connect(settings: &DatabaseSettings, pace: StorePace) -> Result<Self, StorageError> {
        let pools = match settings {
            DatabaseSettings::Sqlite { path, readers, relaxed_durability } => {
                Self::connect_sqlite(path, *readers, *relaxed_durability).await?
            }
            DatabaseSettings::Postgres { url, connections } => {
                Self::connect_postgres(url, *connections).await?
            }
        };
        Ok(Self { pools, reads: Arc::default(), pace })
    }

    async fn connect_sqlite(path: &PathBuf, readers: u32, relaxed: bool) -> Result<Pools, StorageError> {
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            tokio::fs::create_dir_all(directory).await.map_err(|error| {
                StorageError::Settings(format!("cannot make the directory {}: {error}", directory.display()))
            })?;
        }
        let options = sqlite_options(path, relaxed);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(
                options
                    .clone()
                    .auto_vacuum(SqliteAutoVacuum::Incremental)
                    .page_size(8192)
                    .pragma("cache_size", "-32768"),
            )
            .await?;
        let read = SqlitePoolOptions::new()
            .max_connections(readers.max(1))
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(options.pragma("query_only", "ON").pragma("cache_size", "-16384"));
        Ok(Pools::Sqlite { read, write })
    }

    async fn connect_postgres(url: &str, connections: u32) -> Result<Pools, StorageError> {
        let options = PgConnectOptions::from_str(url)?
            .application_name("parvis")
            .statement_cache_capacity(STATEMENT_CACHE)
            .options([("idle_in_transaction_session_timeout", "10000")]);
        let pool = PgPoolOptions::new()
            .max_connections(connections.max(2))
            .min_connections(1)
            .acquire_timeout(Duration::from_secs(10))
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        Ok(Pools::Postgres(pool))
    }

    /// Which engine this is.
    pub(crate) fn kind(&self) -> EngineKind {
        match &self.pools {
            Pools::Sqlite { .. } => EngineKind::Sqlite,
            Pools::Postgres(_) => EngineKind::Postgres,
        }
    }

    /// How many reading statements were run.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Waits until a piece of work may be done.
    pub(crate) async fn turn(&self, work: Work) -> Turn {
        turn(&self.pace, work).await
    }

    /// A connection that may write.
    pub(crate) async fn writer(&self) -> Result<Connection, StorageError> {
        Ok(match &self.pools {
            Pools::Sqlite { write, .. } => Connection::Sqlite(write.acquire().await?),
            Pools::Postgres(pool) => Connection::Postgres(pool.acquire().await?),
        })
    }

    /// Runs a reading statement and gives its rows.
    pub(crate) async fn fetch(
        &self,
        statement: &Statement,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StorageError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let _turn = self.turn(Work::Read(statement.name)).await;
        match &self.pools {
            Pools::Sqlite { read, .. } => fetch_sqlite(read, statement.text.into(), values).await,
            Pools::Postgres(pool) => fetch_postgres(pool, statement.text.into(), values).await,
        }
    }

    /// As [`fetch`](Self::fetch), for the at most one row of a look-up.
    pub(crate) async fn fetch_one(
        &self,
        statement: &Statement,
        values: Vec<Value>,
    ) -> Result<Option<Row>, StorageError> {
        Ok(self.fetch(statement, values).await?.pop())
    }

    /// Runs a statement with a `{list}`, in pieces of at most 512 elements.
    pub(crate) async fn fetch_list<T>(
        &self,
        statement: &Statement,
        fixed: Vec<Value>,
        list: impl IntoIterator<Item = T>,
    ) -> Result<Vec<Row>, StorageError>
    where
        T: Into<Value>,
    {
        let list: Vec<Value> = list.into_iter().map(Into::into).collect();
        let mut rows = Vec::new();
        for piece in list.chunks(512) {
            let padded = piece.len().next_power_of_two();
            let mut values = Vec::with_capacity(fixed.len() + padded);
            values.extend_from_slice(&fixed);
            values.extend_from_slice(piece);
            let last = piece[piece.len() - 1].clone();
            values.resize(fixed.len() + padded, last);
            let text = statement.expand(padded);
            self.reads.fetch_add(1, Ordering::Relaxed);
            let _turn = self.turn(Work::Read(statement.name)).await;
            rows.extend(match &self.pools {
                Pools::Sqlite { read, .. } => fetch_sqlite(read, text, values).await?,
                Pools::Postgres(pool) => fetch_postgres(pool, text, values).await?,
            });
        }
        Ok(rows)
    }

    /// Closes every connection, waiting for those in use.
    pub(crate) async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

impl Connection {
    /// Opens a transaction that may write.
    pub(crate) async fn begin(&mut self) -> Result<(), StorageError> {
        match self {
            Self::Sqlite(_) => self.raw("BEGIN IMMEDIATE").await,
            Self::Postgres(_) => self.raw("BEGIN").await,
        }
    }

    /// Opens a transaction that may write, runs texts in it, and gives the rows of each; as [`fetch_all`](Self::fetch_all).
    pub(crate) async fn begin_with(&mut self, texts: Vec<Text>) -> Result<Vec<Vec<Row>>, StorageError> {
        match self {
            Self::Sqlite(_) => {
                let mut all = vec![("BEGIN IMMEDIATE".to_owned(), Vec::new())];
                all.extend(texts);
                let mut found = self.fetch_all(all).await?;
                found.remove(0);
                Ok(found)
            }
            Self::Postgres(_) => {
                self.begin().await?;
                self.fetch_all(texts).await
            }
        }
    }

    /// Runs texts that insert or update as one transaction, and makes it durable, with one way to the database and back.
    /// On PostgreSQL they are parts of one statement, of which none sees what the others have written. After an error nothing is
    /// written; on SQLite the transaction is then still to be rolled back.
    pub(crate) async fn write_at_once(&mut self, texts: Vec<Text>) -> Result<(), StorageError> {
        match self {
            _ if texts.is_empty() => Ok(()),
            Self::Sqlite(_) => {
                let mut all = texts;
                all.push(("COMMIT".to_owned(), Vec::new()));
                self.begin_with(all).await.map(drop)
            }
            Self::Postgres(connection) => {
                let (mut joined, mut values) = ("WITH ".to_owned(), Vec::new());
                for (part, (text, of_text)) in texts.into_iter().enumerate() {
                    let separator = if part == 0 { "" } else { ", " };
                    let _ = write!(joined, "{separator}part_{part} AS (");
                    push_renumbered(&mut joined, &text, values.len());
                    joined.push(')');
                    values.extend(of_text);
                }
                joined.push_str(" SELECT 1");
                fetch_postgres(&mut **connection, joined, values).await.map(drop)
            }
        }
    }

    /// Makes the transaction durable.
    pub(crate) async fn commit(&mut self) -> Result<(), StorageError> {
        self.raw("COMMIT").await
    }

    /// Gives the transaction up.
    pub(crate) async fn rollback(&mut self) -> Result<(), StorageError> {
        self.raw("ROLLBACK").await
    }

    /// Runs a fixed text that takes no parameters.
    pub(crate) async fn raw(&mut self, text: &'static str) -> Result<(), StorageError> {
        match self {
            Self::Sqlite(connection) => sqlx::raw_sql(text).execute(&mut **connection).await.map(drop)?,
            Self::Postgres(connection) => sqlx::raw_sql(text).execute(&mut **connection).await.map(drop)?,
        }
        Ok(())
    }

    /// Runs an expanded text and gives its rows.
    pub(crate) async fn fetch(&mut self, text: String, values: Vec<Value>) -> Result<Vec<Row>, StorageError> {
        match self {
            Self::Sqlite(connection) => fetch_sqlite(&mut **connection, text, values).await,
            Self::Postgres(connection) => fetch_postgres(&mut **connection, text, values).await,
        }
    }

    /// Runs expanded texts one after the other and gives the rows of each. In each its parameters stand once and in their
    /// order. SQLite runs on a thread of its own, and going there and back costs more than most statements, so it is gone
    /// to once for all of them.
    pub(crate) async fn fetch_all(&mut self, texts: Vec<Text>) -> Result<Vec<Vec<Row>>, StorageError> {
        let mut found = Vec::with_capacity(texts.len());
        match self {
            Self::Sqlite(_) if texts.is_empty() => {}
            Self::Sqlite(connection) => {
                let (mut joined, mut values) = (String::new(), Vec::new());
                for (text, of_text) in texts {
                    push_without_names(&mut joined, &text);
                    joined.push(';');
                    values.extend(of_text);
                }
                let query = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(joined), sqlite_arguments(values)?);
                let mut results = (&mut **connection).fetch_many(query);
                let mut rows = Vec::new();
                while let Some(result) = results.try_next().await? {
                    match result {
                        Either::Left(_) => found.push(std::mem::take(&mut rows)),
                        Either::Right(row) => rows.push(Row::Sqlite(row)),
                    }
                }
            }
            Self::Postgres(connection) => {
                for (text, values) in texts {
                    found.push(fetch_postgres(&mut **connection, text, values).await?);
                }
            }
        }
        Ok(found)
    }

    /// Asks the engine whether a text is valid, without running it, and how many parameters it takes.
    pub(crate) async fn prepare(&mut self, text: String) -> Result<usize, StorageError> {
        use sqlx::{SqlSafeStr as _, Statement as _};
        let text = AssertSqlSafe(text).into_sql_str();
        let count = |parameters: Option<Either<usize, usize>>| match parameters {
            Some(Either::Left(count) | Either::Right(count)) => count,
            None => 0,
        };
        Ok(match self {
            Self::Sqlite(connection) => {
                let prepared = connection.prepare(text).await?;
                count(prepared.parameters().map(|found| found.map_left(|types| types.len())))
            }
            Self::Postgres(connection) => {
                let prepared = connection.prepare(text).await?;
                count(prepared.parameters().map(|found| found.map_left(|types| types.len())))
            }
        })
    }
}

fn unassigned_position() -> StorageError {
    StorageError::Corrupt("a position was bound outside of a write".to_owned())
}

/// An expanded text and its parameters.
pub(crate) type Text = (String, Vec<Value>);

/// Appends a text whose parameters stand once and in their order, without their names: of several texts together, SQLite
/// counts the parameters through.
fn push_without_names(joined: &mut String, text: &str) {
    let mut pieces = text.split('$');
    joined.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        joined.push('?');
        joined.push_str(piece.trim_start_matches(|letter: char| letter.is_ascii_digit()));
    }
}

/// Appends a text whose parameters are counted from one, counting them from the one after `before`.
fn push_renumbered(joined: &mut String, text: &str, before: usize) {
    let mut pieces = text.split('$');
    joined.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let digits = piece.len() - piece.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let number: usize = piece[..digits].parse().unwrap_or_default();
        let _ = write!(joined, "${}{}", number + before, &piece[digits..]);
    }
}

fn sqlite_arguments(values: Vec<Value>) -> Result<SqliteArguments, StorageError> {
    use sqlx::Arguments as _;
    let mut arguments = SqliteArguments::default();
    for value in values {
        match value {
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
            Value::Bool(value) => arguments.add(value),
            Value::Position(_) | Value::Place(_) => return Err(unassigned_position()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

async fn fetch_sqlite<'c, E>(executor: E, text: String, values: Vec<Value>) -> Result<Vec<Row>, StorageError>
where
    E: sqlx::Executor<'c, Database = Sqlite>,
{
    let query = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(text), sqlite_arguments(values)?);
    let rows = query.fetch(executor);
    Ok(rows.map_ok(Row::Sqlite).try_collect().await?)
}

async fn fetch_postgres<'c, E>(
    executor: E,
    text: String,
    values: Vec<Value>,
) -> Result<Vec<Row>, StorageError>
where
    E: sqlx::Executor<'c, Database = Postgres>,
{
    use sqlx::Arguments as _;
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
            Value::Bool(value) => arguments.add(value),
            Value::Position(_) | Value::Place(_) => return Err(unassigned_position()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    let rows = sqlx::query_with::<Postgres, _>(AssertSqlSafe(text), arguments).fetch(executor);
    Ok(rows.map_ok(Row::Postgres).try_collect().await?)
}

#[cfg(test)]
mod tests {
    use super::push_without_names;

    #[test]
    fn parameters_of_joined_texts_go_by_their_order() {
        let mut joined = String::new();
        push_without_names(&mut joined, "SELECT a FROM t WHERE b IN ($1,$2) AND c = $10");
        push_without_names(&mut joined, "; COMMIT");
        assert_eq!(joined, "SELECT a FROM t WHERE b IN (?,?) AND c = ?; COMMIT");
    }
}
