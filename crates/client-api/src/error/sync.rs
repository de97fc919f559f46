//! The failures of the sync engine.

use http::StatusCode;
use parvis_sync::{PresenceError, ReceiptError, SlidingError, SubscriptionError, TypingError};
use parvis_wire::MatrixError;
use ruma::api::error::ErrorCode;

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

impl From<SlidingError> for ApiError {
    fn from(error: SlidingError) -> Self {
        Self(match error {
            SlidingError::UnknownPos => {
                MatrixError::new(StatusCode::BAD_REQUEST, ErrorCode::from("M_UNKNOWN_POS"), error.to_string())
            }
            SlidingError::Storage(error) => MatrixError::internal(error),
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

impl From<SubscriptionError> for ApiError {
    fn from(error: SubscriptionError) -> Self {
        let text = error.to_string();
        let refused = |status, errcode| MatrixError::new(status, ErrorCode::from(errcode), text);
        Self(match error {
            SubscriptionError::NotInThread => {
                refused(StatusCode::BAD_REQUEST, "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD")
            }
            SubscriptionError::EndedSince => {
                refused(StatusCode::CONFLICT, "IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION")
            }
            SubscriptionError::Busy => refused(StatusCode::SERVICE_UNAVAILABLE, "M_UNKNOWN"),
            SubscriptionError::Storage(error) => MatrixError::internal(error),
        })
    }
}
