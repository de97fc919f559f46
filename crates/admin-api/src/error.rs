//! The table from the engines' errors to Matrix errors.

use http::StatusCode;
use parvis_accounts::TokenError;
use parvis_organisation::ChangeError;
use parvis_policy::SettingError;
use parvis_rooms::RoomError;
use parvis_wire::MatrixError;
use ruma::api::error::ErrorCode;

/// What a handler fails with.
#[derive(Debug)]
pub(crate) struct ApiError(MatrixError);

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

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        let text = error.to_string();
        Self(match error {
            ChangeError::Setting(SettingError::Unknown(_)) => MatrixError::not_found(text),
            ChangeError::Setting(SettingError::Value { .. }) => MatrixError::invalid_param(text),
            ChangeError::Pinned(_) => MatrixError::forbidden(text),
            ChangeError::Storage(error) => MatrixError::internal(error),
        })
    }
}

impl From<RoomError> for ApiError {
    fn from(error: RoomError) -> Self {
        let text = error.to_string();
        Self(match error {
            RoomError::UnknownRoom | RoomError::NotFound(_) => MatrixError::not_found(text),
            RoomError::InvalidParam(_) => MatrixError::invalid_param(text),
            RoomError::Format(_) => MatrixError::bad_json(text),
            RoomError::InviteBlocked => {
                MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::InviteBlocked, text)
            }
            other => MatrixError::internal(other),
        })
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        let text = error.to_string();
        Self(match error {
            TokenError::Malformed | TokenError::Useless | TokenError::Taken => {
                MatrixError::invalid_param(text)
            }
            TokenError::NotFound => MatrixError::not_found(text),
            TokenError::Storage(error) => MatrixError::internal(error),
        })
    }
}
