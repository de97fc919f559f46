//! Why an operation on media did not happen.

use std::io;

use parvis_peers::PeerError;
use parvis_storage::{CommitError, StorageError};

/// Why nothing was uploaded.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The file is larger than this many bytes.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// The file did not come to its end, or not in time.
    #[error("the upload was interrupted")]
    Interrupted,
    /// The user holds as many ids without content as they may.
    #[error("too many uploads are waiting for their content")]
    TooManyUnused,
    /// No such id was created here, or its content did not come in time.
    #[error("there is no such media id")]
    NotFound,
    /// The id was created by another user.
    #[error("the media id belongs to another user")]
    NotYours,
    /// The id has content, which never changes.
    #[error("the media id has content already")]
    AlreadyUploaded,
    /// The files cannot be written.
    #[error("media files cannot be written: {0}")]
    File(#[from] io::Error),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<CommitError> for UploadError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Guard(_) => Self::AlreadyUploaded,
            other => Self::Storage(unguarded(other)),
        }
    }
}

/// Why there is nothing to download.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// There is no such media here.
    #[error("there is no such media")]
    NotFound,
    /// The id was given, but its content has not come.
    #[error("the content has not been uploaded yet")]
    NotYetUploaded,
    /// The file lies on another server and is larger than this many bytes.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// The file lies on another server, which does not give it.
    #[error("the server of the file does not give it: {0}")]
    Remote(PeerError),
    /// The files cannot be read.
    #[error("media files cannot be read: {0}")]
    File(#[from] io::Error),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why there is no thumbnail.
#[derive(Debug, thiserror::Error)]
pub enum ThumbnailError {
    /// A thumbnail has a width and a height.
    #[error("a thumbnail of no size was asked for")]
    NoSize,
    /// The content is not an image of a kind that can be read, or is damaged.
    #[error("no thumbnail can be made of this content")]
    NotAnImage,
    /// The image is larger than what is decoded.
    #[error("the image is too large to make a thumbnail of it")]
    TooLarge,
    /// The original is not to be had.
    #[error(transparent)]
    Original(#[from] DownloadError),
    /// Too many images are being worked on.
    #[error("too many thumbnails are being made")]
    Busy,
    /// The files cannot be read or written.
    #[error("media files cannot be used: {0}")]
    File(#[from] io::Error),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<CommitError> for ThumbnailError {
    fn from(error: CommitError) -> Self {
        Self::Storage(unguarded(error))
    }
}

/// The error of a write whose guards, if it has any, are dealt with.
pub(crate) fn unguarded(error: CommitError) -> StorageError {
    match error {
        CommitError::Storage(error) => error,
        other => StorageError::Corrupt(format!("a write of media was refused: {other}")),
    }
}
