//! The failures of the sync engine.

use parvis_sync::{PresenceError, ReceiptError, TypingError};
use parvis_wire::MatrixError;

use super::ApiError;

impl From<TypingError> for ApiError {
    fn from(error: TypingError) -> Self {
        Self(match error {
            TypingError::NotJoined => MatrixError::forbidden(error.to_string()),
            TypingError::Storage(error) => MatrixError::internal(error),
        })
    }
}

impl From<ReceiptError> for ApiError {
    fn from(error: ReceiptError) -> Self {
        let text = error.to_string();
        Self(match error {
            ReceiptError::NotJoined => MatrixError::forbidden(text),
            ReceiptError::UnknownEvent => MatrixError::not_found(text),
            ReceiptError::OtherThread => MatrixError::invalid_param(text),
            ReceiptError::Storage(error) => MatrixError::internal(error),
        })
    }
}

impl From<PresenceError> for ApiError {
    fn from(error: PresenceError) -> Self {
        Self(match error {
            PresenceError::Stranger => MatrixError::forbidden(error.to_string()),
            PresenceError::Storage(error) => MatrixError::internal(error),
        })
    }
}
