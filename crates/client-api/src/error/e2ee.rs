//! The failures of the engine of end-to-end encryption.

use http::StatusCode;
use parvis_e2ee::{BackupError, CrossSigningError, DehydratedError, UploadError};
use parvis_wire::MatrixError;
use ruma::api::error::ErrorCode;

use super::ApiError;

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        let text = error.to_string();
        Self(match error {
            UploadError::Invalid(_) => MatrixError::bad_json(text),
            UploadError::NotYours | UploadError::Taken(_) => MatrixError::invalid_param(text),
            UploadError::TooMany => MatrixError::too_large(text),
            UploadError::Gone => MatrixError::unknown_token(false),
            UploadError::Storage(error) => MatrixError::internal(error),
        })
    }
}

impl From<DehydratedError> for ApiError {
    fn from(error: DehydratedError) -> Self {
        let text = error.to_string();
        Self(match error {
            DehydratedError::None => MatrixError::not_found(text),
            DehydratedError::Other => MatrixError::forbidden(text),
            DehydratedError::WithoutKeys => MatrixError::missing_param(text),
            DehydratedError::TooLarge => MatrixError::too_large(text),
            DehydratedError::BadName | DehydratedError::Taken => MatrixError::invalid_param(text),
            DehydratedError::Keys(error) => return error.into(),
            DehydratedError::Storage(error) => MatrixError::internal(error),
        })
    }
}

impl From<CrossSigningError> for ApiError {
    fn from(error: CrossSigningError) -> Self {
        let text = error.to_string();
        Self(match error {
            CrossSigningError::Invalid(_) => MatrixError::invalid_param(text),
            CrossSigningError::NoMasterKey => MatrixError::missing_param(text),
            CrossSigningError::NotSigned(_) => {
                MatrixError::new(StatusCode::BAD_REQUEST, ErrorCode::from("M_INVALID_SIGNATURE"), text)
            }
            CrossSigningError::NamesDevice | CrossSigningError::Unproven => MatrixError::forbidden(text),
            CrossSigningError::Storage(error) => MatrixError::internal(error),
        })
    }
}

impl From<BackupError> for ApiError {
    fn from(error: BackupError) -> Self {
        let text = error.to_string();
        Self(match error {
            BackupError::NotFound | BackupError::NoKey => MatrixError::not_found(text),
            BackupError::WrongVersion { current } => {
                MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::WrongRoomKeysVersion, text)
                    .with("current_version", current.to_string())
            }
            BackupError::OtherAlgorithm => MatrixError::invalid_param(text),
            BackupError::Busy => MatrixError::internal(text),
            BackupError::Storage(error) => MatrixError::internal(error),
        })
    }
}
