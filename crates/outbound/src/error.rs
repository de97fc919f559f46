//! Errors of the store, where nothing was demanded of it.

use parvis_storage::{CommitError, StorageError};

/// The error of a write that has no guards.
pub(crate) fn refused(error: CommitError) -> StorageError {
    match error {
        CommitError::Storage(error) => error,
        other => StorageError::Corrupt(format!("a write without guards was refused: {other}")),
    }
}
