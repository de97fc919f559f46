//! The failures of the rooms engine.

use http::StatusCode;
use parvis_rooms::RoomError;
use parvis_wire::MatrixError;
use ruma::api::error::ErrorCode;
use serde_json::json;

use super::ApiError;

impl From<RoomError> for ApiError {
    fn from(error: RoomError) -> Self {
        let text = error.to_string();
        let bad = |errcode| MatrixError::new(StatusCode::BAD_REQUEST, errcode, text.clone());
        Self(match error {
            RoomError::UnknownRoom | RoomError::NotFound(_) => MatrixError::not_found(text),
            RoomError::Forbidden(_) => MatrixError::forbidden(text),
            RoomError::Policy { rule, setting } => {
                let policy = json!({ "rule": rule, "setting": setting.name, "value": setting.value });
                MatrixError::forbidden(text).with("org.parvis.policy", policy)
            }
            RoomError::Format(error) if error.is_too_large() => MatrixError::too_large(text),
            RoomError::Format(_) => MatrixError::bad_json(text),
            RoomError::InvalidParam(_) => MatrixError::invalid_param(text),
            RoomError::MissingParam(_) => MatrixError::missing_param(text),
            RoomError::BadState(_) => bad(ErrorCode::BadState),
            RoomError::NotLeft => bad(ErrorCode::Unknown),
            RoomError::UnsupportedVersion(_) => bad(ErrorCode::UnsupportedRoomVersion),
            RoomError::AliasInUse => bad(ErrorCode::RoomInUse),
            RoomError::AliasIsExclusive => bad(ErrorCode::Exclusive),
            RoomError::BadAlias(_) => bad(ErrorCode::BadAlias),
            RoomError::DuplicateAnnotation => bad(ErrorCode::DuplicateAnnotation),
            RoomError::IncompatibleVersion(version) => {
                bad(ErrorCode::IncompatibleRoomVersion).with("room_version", version)
            }
            // What only other servers could grant is, to a client, forbidden.
            RoomError::UnableToAuthoriseJoin | RoomError::UnableToGrantJoin => MatrixError::forbidden(text),
            RoomError::NoGuests => {
                MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::GuestAccessForbidden, text)
            }
            RoomError::NoticeRoom => {
                MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::CannotLeaveServerNoticeRoom, text)
            }
            RoomError::InviteBlocked => {
                MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::InviteBlocked, text)
            }
            RoomError::Refused { status, errcode, room_version, .. } => {
                refused(status, &errcode, text, room_version)
            }
            RoomError::Unreachable(_) => unreachable_server(text),
            RoomError::DelayTooLong(most) => {
                let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
                let errcode = ErrorCode::from("M_MAX_DELAY_EXCEEDED");
                MatrixError::new(StatusCode::BAD_REQUEST, errcode, text)
                    .with("org.matrix.msc4140.max_delay", most)
            }
            RoomError::TooManyDelayed => {
                let errcode = ErrorCode::from("M_MAX_DELAYED_EVENTS_EXCEEDED");
                MatrixError::new(StatusCode::BAD_REQUEST, errcode, text)
            }
            RoomError::Busy => MatrixError::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unknown, text),
            RoomError::Storage(error) => MatrixError::internal(error),
        })
    }
}

/// What a client is told of another server's refusal. That the other server did not understand this one is no
/// fault of the client's.
fn refused(status: u16, errcode: &str, text: String, room_version: Option<String>) -> MatrixError {
    let errcode = ErrorCode::from(errcode);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    match errcode {
        ErrorCode::UnableToAuthorizeJoin | ErrorCode::UnableToGrantJoin => MatrixError::forbidden(text),
        ErrorCode::IncompatibleRoomVersion => {
            let error = MatrixError::new(StatusCode::BAD_REQUEST, errcode, text);
            room_version.map_or(error.clone(), |version| error.with("room_version", version))
        }
        ErrorCode::Forbidden | ErrorCode::NotFound | ErrorCode::InviteBlocked => {
            MatrixError::new(status, errcode, text)
        }
        _ => unreachable_server(text),
    }
}

fn unreachable_server(text: String) -> MatrixError {
    MatrixError::new(StatusCode::BAD_GATEWAY, ErrorCode::Unknown, text)
}
