//! What can go wrong in storage.

/// Why a read or a write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The database did not do what it was asked: it is unreachable, full, or broken.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The stored data contradicts itself. The text names what was being read.
    #[error("stored data is corrupt: {0}")]
    Corrupt(String),
    /// The schema in the database is newer than this program.
    #[error(
        "the database was written by a newer Parvis (it has migration {0}, which this one does not know); \
         start the newer version, or restore a backup made before the upgrade"
    )]
    SchemaFromTheFuture(i64),
    /// The schema could not be brought up to date.
    #[error("the database schema could not be migrated: {0}")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The storage settings cannot be used.
    #[error("{0}")]
    Settings(String),
    /// The store is shutting down and takes no more writes.
    #[error("the store is closed")]
    Closed,
}

/// Why a write set was not written. Nothing of it is in the database.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The room has moved since its head was read. Read it again and decide again.
    #[error("the room has changed meanwhile")]
    RoomMoved,
    /// The device has used this transaction id before; this is the event that it made.
    #[error("the transaction id was used before")]
    TransactionUsed(crate::EventSn),
    /// A guard of the write set does not hold: the name tells which one.
    #[error("the guard `{0}` does not hold")]
    Guard(&'static str),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
