//! Why a room operation was refused. The API's table turns these into errcodes.

use parvis_dag::AuthError;
use parvis_events::FormatError;
use parvis_peers::PeerError;
use parvis_policy::Setting;
use parvis_storage::{CommitError, StorageError};

/// Why a room operation did not happen. Nothing was then written.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    /// The room is not known here, or the caller may not know that it is (`M_NOT_FOUND`).
    #[error("there is no such room")]
    UnknownRoom,
    /// What was asked for is not there (`M_NOT_FOUND`). The text names it.
    #[error("{0}")]
    NotFound(&'static str),
    /// The room's rules, or the caller's standing in it, do not allow it (`M_FORBIDDEN`).
    #[error("{0}")]
    Forbidden(String),
    /// The organisation's policy does not allow it (`M_FORBIDDEN`).
    #[error("{rule}")]
    Policy {
        /// The rule, in words for the client.
        rule: &'static str,
        /// The setting that it comes from.
        setting: Setting,
    },
    /// The event cannot be built from what was sent (`M_BAD_JSON` or `M_TOO_LARGE`).
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A parameter has an impossible value (`M_INVALID_PARAM`).
    #[error("{0}")]
    InvalidParam(String),
    /// Something is missing, or is not what it has to be to count (`M_MISSING_PARAM`).
    #[error("{0}")]
    MissingParam(String),
    /// The state that was sent makes no sense (`M_BAD_STATE`).
    #[error("{0}")]
    BadState(String),
    /// The room would have a version that cannot be made here (`M_UNSUPPORTED_ROOM_VERSION`).
    #[error("rooms of version {0} cannot be made here")]
    UnsupportedVersion(String),
    /// The alias names a room already (`M_ROOM_IN_USE` when a room is created, `M_UNKNOWN` with 409 else).
    #[error("the alias names a room already")]
    AliasInUse,
    /// An application service keeps the alias to itself (`M_EXCLUSIVE`).
    #[error("the alias is kept for an application service")]
    AliasIsExclusive,
    /// A room is to be forgotten that the user has not left (`M_UNKNOWN`).
    #[error("leave the room before you forget it")]
    NotLeft,
    /// An alias in `m.room.canonical_alias` does not name this room (`M_BAD_ALIAS`).
    #[error("{0}")]
    BadAlias(String),
    /// The same annotation was sent before by the same user (`M_DUPLICATE_ANNOTATION`).
    #[error("you have reacted with this key already")]
    DuplicateAnnotation,
    /// The other server does not know the room's version, or this one does not
    /// (`M_INCOMPATIBLE_ROOM_VERSION`).
    #[error("the room has the version {0}, which one of the two servers does not support")]
    IncompatibleVersion(String),
    /// Whether the user may join is for another server of the room to say (`M_UNABLE_TO_AUTHORISE_JOIN`).
    #[error("this server cannot tell whether the user may join the room")]
    UnableToAuthoriseJoin,
    /// The user may join, but by a right that nobody on this server has (`M_UNABLE_TO_GRANT_JOIN`).
    #[error("nobody on this server may let the user into the room")]
    UnableToGrantJoin,
    /// The room lets no guests in (`M_GUEST_ACCESS_FORBIDDEN`).
    #[error("guests may not join this room")]
    NoGuests,
    /// The server speaks to the user in this room, and its invitation is not rejected
    /// (`M_CANNOT_LEAVE_SERVER_NOTICE_ROOM`).
    #[error("the server speaks to you in this room; its invitation cannot be rejected")]
    NoticeRoom,
    /// The user takes no invitations (`M_INVITE_BLOCKED`).
    #[error("this user takes no invitations")]
    InviteBlocked,
    /// Another server refused.
    #[error("{message}")]
    Refused {
        /// The HTTP status of its answer.
        status: u16,
        /// Its errcode.
        errcode: String,
        /// What it said.
        message: String,
        /// The version of the room, where that is the reason.
        room_version: Option<String>,
    },
    /// No other server could be asked, or none gave an answer that makes sense.
    #[error("{0}")]
    Unreachable(String),
    /// An event is to wait longer than that.
    #[error("events are delayed by {} hours at most", .0.as_secs() / 3_600)]
    DelayTooLong(std::time::Duration),
    /// The user has as many delayed events as may be.
    #[error("too many delayed events wait to be sent")]
    TooManyDelayed,
    /// The room changed each time while the operation was being decided. The client may try again.
    #[error("the room is too busy")]
    Busy,
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<AuthError> for RoomError {
    fn from(error: AuthError) -> Self {
        Self::Forbidden(error.to_string())
    }
}

impl From<PeerError> for RoomError {
    fn from(error: PeerError) -> Self {
        match error {
            PeerError::NotAPartner(_) => Self::Forbidden(error.to_string()),
            PeerError::Refused { status, errcode, message, body, .. }
                if status.is_client_error() && !errcode.is_empty() =>
            {
                let room_version = body.as_ref().and_then(|body| body.get("room_version")?.as_str());
                let room_version = room_version.map(ToOwned::to_owned);
                Self::Refused { status: status.as_u16(), errcode, message, room_version }
            }
            other => Self::Unreachable(other.to_string()),
        }
    }
}

impl From<CommitError> for RoomError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Guard("alias_free") => Self::AliasInUse,
            CommitError::Storage(error) => Self::Storage(error),
            CommitError::RoomMoved | CommitError::TransactionUsed(_) | CommitError::Guard(_) => Self::Busy,
        }
    }
}

impl RoomError {
    /// A refusal by the room's rules, in words.
    pub(crate) fn forbidden(reason: &str) -> Self {
        Self::Forbidden(reason.to_owned())
    }
}
