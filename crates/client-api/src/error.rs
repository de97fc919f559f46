//! The table from the engines' errors to Matrix errors: one `From` for each family of operations.

mod accounts;
mod e2ee;
mod rooms;
mod sync;

use std::time::Duration;

use http::StatusCode;
use parvis_media::{DownloadError, PreviewError, ThumbnailError, UploadError};
use parvis_wire::MatrixError;
use ruma::api::error::ErrorCode;

/// What a handler fails with. Handlers use `?` on the engines' results; the table below does the rest.
#[derive(Debug)]
pub struct ApiError(MatrixError);

impl From<ApiError> for MatrixError {
    fn from(error: ApiError) -> Self {
        error.0
    }
}

impl From<MatrixError> for ApiError {
    fn from(error: MatrixError) -> Self {
        Self(error)
    }
}

/// After so long, an upload that waits for its content may have expired, or a worker be free.
const COME_BACK: Duration = Duration::from_secs(5);

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        let message = error.to_string();
        Self(match error {
            UploadError::TooLarge(_) => MatrixError::too_large(message),
            UploadError::Interrupted => {
                MatrixError::new(StatusCode::BAD_REQUEST, ErrorCode::Unknown, message)
            }
            UploadError::TooManyUnused => MatrixError::limit_exceeded(COME_BACK),
            UploadError::NotFound => MatrixError::not_found(message),
            UploadError::NotYours => MatrixError::forbidden(message),
            UploadError::AlreadyUploaded => {
                MatrixError::new(StatusCode::CONFLICT, ErrorCode::CannotOverwriteMedia, message)
            }
            UploadError::File(_) | UploadError::Storage(_) => MatrixError::internal(message),
        })
    }
}

impl From<PreviewError> for ApiError {
    fn from(error: PreviewError) -> Self {
        let message = error.to_string();
        Self(match error {
            PreviewError::Off => MatrixError::not_found(message),
            PreviewError::Refused(_) => MatrixError::forbidden(message),
            PreviewError::Unreachable(_) => {
                MatrixError::new(StatusCode::BAD_GATEWAY, ErrorCode::Unknown, message)
            }
            PreviewError::Upload(error) => return error.into(),
        })
    }
}

impl From<DownloadError> for ApiError {
    fn from(error: DownloadError) -> Self {
        let message = error.to_string();
        Self(match error {
            DownloadError::NotFound => MatrixError::not_found(message),
            DownloadError::NotYetUploaded => {
                MatrixError::new(StatusCode::GATEWAY_TIMEOUT, ErrorCode::NotYetUploaded, message)
            }
            DownloadError::TooLarge(_) => {
                MatrixError::new(StatusCode::BAD_GATEWAY, ErrorCode::TooLarge, message)
            }
            DownloadError::Remote(_) => {
                MatrixError::new(StatusCode::BAD_GATEWAY, ErrorCode::Unknown, message)
            }
            DownloadError::File(_) | DownloadError::Storage(_) => MatrixError::internal(message),
        })
    }
}

impl From<ThumbnailError> for ApiError {
    fn from(error: ThumbnailError) -> Self {
        let message = error.to_string();
        Self(match error {
            ThumbnailError::Original(error) => return error.into(),
            ThumbnailError::NoSize => MatrixError::invalid_param(message),
            ThumbnailError::NotAnImage => {
                MatrixError::new(StatusCode::BAD_REQUEST, ErrorCode::Unknown, message)
            }
            ThumbnailError::TooLarge => MatrixError::too_large(message),
            ThumbnailError::Busy => MatrixError::limit_exceeded(COME_BACK),
            ThumbnailError::File(_) | ThumbnailError::Storage(_) => MatrixError::internal(message),
        })
    }
}
