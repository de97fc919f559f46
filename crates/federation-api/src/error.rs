//! The table from the engines' errors to Matrix errors: one `From` for each family of operations.

use std::time::Duration;

use http::StatusCode;
use parvis_accounts::{ProfileError, StorageError};
use parvis_media::{DownloadError, ThumbnailError};
use parvis_rooms::RoomError;
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

/// After so long, a worker may be free.
const COME_BACK: Duration = Duration::from_secs(5);

impl From<RoomError> for ApiError {
    fn from(error: RoomError) -> Self {
        let text = error.to_string();
        let bad = |errcode| MatrixError::new(StatusCode::BAD_REQUEST, errcode, text.clone());
        Self(match error {
            RoomError::UnknownRoom | RoomError::NotFound(_) => MatrixError::not_found(text),
            RoomError::Forbidden(_) | RoomError::Policy { .. } => MatrixError::forbidden(text),
            RoomError::Format(error) if error.is_too_large() => MatrixError::too_large(text),
            RoomError::Format(_) => MatrixError::bad_json(text),
            RoomError::InvalidParam(_) => MatrixError::invalid_param(text),
            RoomError::MissingParam(_) => MatrixError::missing_param(text),
            RoomError::BadState(_) => bad(ErrorCode::BadState),
            RoomError::UnsupportedVersion(_) => bad(ErrorCode::IncompatibleRoomVersion),
            RoomError::IncompatibleVersion(version) => {
                bad(ErrorCode::IncompatibleRoomVersion).with("room_version", version)
            }
            RoomError::UnableToAuthoriseJoin => bad(ErrorCode::UnableToAuthorizeJoin),
            RoomError::UnableToGrantJoin => bad(ErrorCode::UnableToGrantJoin),
            // Guests are this server's; others know nothing of them.
            RoomError::NoGuests | RoomError::NoticeRoom => MatrixError::forbidden(text),
            RoomError::InviteBlocked => {
                MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::InviteBlocked, text)
            }
            // What a room's policy server says of an event is for its sender's server to know.
            RoomError::Refused { status, errcode, .. } if errcode == "M_FORBIDDEN" => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
                MatrixError::new(status, ErrorCode::Forbidden, text)
            }
            RoomError::Refused { .. } | RoomError::Unreachable(_) => {
                MatrixError::new(StatusCode::BAD_GATEWAY, ErrorCode::Unknown, text)
            }
            RoomError::NotLeft
            | RoomError::AliasInUse
            | RoomError::AliasIsExclusive
            | RoomError::BadAlias(_)
            | RoomError::DuplicateAnnotation => bad(ErrorCode::Unknown),
            RoomError::DelayTooLong(_) | RoomError::TooManyDelayed => MatrixError::internal(text),
            RoomError::Busy => MatrixError::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unknown, text),
            RoomError::Storage(error) => MatrixError::internal(error),
        })
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        Self(MatrixError::internal(error))
    }
}

impl From<ProfileError> for ApiError {
    fn from(error: ProfileError) -> Self {
        let text = error.to_string();
        Self(match error {
            ProfileError::NoUser | ProfileError::NoField => MatrixError::not_found(text),
            ProfileError::NameTooLong | ProfileError::Invalid(_) | ProfileError::TooLarge => {
                MatrixError::invalid_param(text)
            }
            ProfileError::Managed => MatrixError::forbidden(text),
            ProfileError::Storage(error) => MatrixError::internal(error),
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
            // Only our own files are given to other servers.
            DownloadError::TooLarge(_) | DownloadError::Remote(_) => MatrixError::not_found(message),
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
