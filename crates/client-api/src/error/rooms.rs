//! The failures of the rooms engine.

use http::StatusCode;
use parvis_rooms::RoomError;
use parvis_wire::MatrixError;
use ruma::api::error::ErrorCode;

use super::ApiError;

impl From<RoomError> for ApiError {
    fn from(error: RoomError) -> Self {
        let text = error.to_string();
        let bad = |errcode| MatrixError::new(StatusCode::BAD_REQUEST, errcode, text.clone());
        Self(match error {
            RoomError::UnknownRoom | RoomError::NotFound(_) | RoomError::NotFederated => {
                MatrixError::not_found(text)
            }
            RoomError::Forbidden(_) => MatrixError::forbidden(text),
            RoomError::Policy { setting, .. } => {
                MatrixError::forbidden(text).with("org.parvis.setting", setting)
            }
            RoomError::Format(error) if error.is_too_large() => MatrixError::too_large(text),
            RoomError::Format(_) => MatrixError::bad_json(text),
            RoomError::InvalidParam(_) => MatrixError::invalid_param(text),
            RoomError::BadState(_) => bad(ErrorCode::BadState),
            RoomError::NotLeft => bad(ErrorCode::Unknown),
            RoomError::UnsupportedVersion(_) => bad(ErrorCode::UnsupportedRoomVersion),
            RoomError::AliasInUse => bad(ErrorCode::RoomInUse),
            RoomError::BadAlias(_) => bad(ErrorCode::BadAlias),
            RoomError::DuplicateAnnotation => bad(ErrorCode::DuplicateAnnotation),
            RoomError::Busy => MatrixError::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unknown, text),
            RoomError::Storage(error) => MatrixError::internal(error),
        })
    }
}
