//! What can go wrong with any write.

use parvis_storage::{CommitError, StorageError};

/// The storage error of a set whose guards, if it has any, were looked at before.
pub(crate) fn plain(error: CommitError) -> StorageError {
    match error {
        CommitError::Storage(error) => error,
        other => StorageError::Corrupt(format!("a write was refused: {other}")),
    }
}
