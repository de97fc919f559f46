//! Why another server did not do as asked.

use http::StatusCode;

/// Why a request to another homeserver failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PeerError {
    /// This organisation does not speak with that server, or with any.
    #[error("this server does not federate with {0}")]
    NotAPartner(String),
    /// The server failed a short while ago and is left in peace for now.
    #[error("{server} could not be reached lately; the next try is due in {wait_ms} ms")]
    BackingOff {
        /// The server.
        server: String,
        /// How long until it may be tried again, in milliseconds.
        wait_ms: u64,
    },
    /// The server was not found, refused the connection, or has no good certificate.
    #[error("{server} cannot be reached: {problem}")]
    Unreachable {
        /// The server.
        server: String,
        /// What went wrong.
        problem: String,
    },
    /// The answer did not come in time.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// The answer is larger than what was asked for could be.
    #[error("the answer of {0} is too large")]
    TooLarge(String),
    /// The server answered that it does not do as asked.
    #[error("{server} answered {status} {errcode}: {message}")]
    Refused {
        /// The server.
        server: String,
        /// The HTTP status.
        status: StatusCode,
        /// The `errcode`, or empty if the answer had none.
        errcode: String,
        /// The `error`, or the beginning of whatever it said.
        message: String,
        /// The whole error, where it is a JSON object.
        body: Option<serde_json::Value>,
    },
    /// The answer makes no sense.
    #[error("the answer of {server} cannot be understood: {problem}")]
    Malformed {
        /// The server.
        server: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The request cannot be put into words.
    #[error("the request cannot be made: {0}")]
    Unsendable(String),
}

impl PeerError {
    /// The HTTP status, where the server gave an answer that is an error.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The `errcode` that the server gave.
    pub fn errcode(&self) -> Option<&str> {
        match self {
            Self::Refused { errcode, .. } if !errcode.is_empty() => Some(errcode),
            _ => None,
        }
    }

    /// Whether the server does not know the endpoint, so that an older form of it may be tried.
    pub fn is_unknown_endpoint(&self) -> bool {
        matches!(self.status(), Some(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED))
            && matches!(self.errcode(), None | Some("M_UNRECOGNIZED"))
    }

    /// Whether the server could not be heard, as opposed to having answered.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::BackingOff { .. } | Self::Unreachable { .. } | Self::Timeout(_))
    }
}
