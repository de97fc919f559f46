//! The one form in which an error leaves the server.
//!
//! Knows the envelope of errors (<https://spec.matrix.org/v1.19/client-server-api/#standard-error-response>),
//! not which failure of an engine becomes which error: that table is in the API crates.

use std::{borrow::Cow, fmt, time::Duration};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use ruma::api::{client::uiaa::UiaaInfo, error::ErrorCode};
use serde_json::{Map, Value};

/// An error response: a status, an `errcode`, a message for people, and what else the error carries.
#[derive(Clone, Debug)]
pub struct MatrixError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The `errcode`; none only in a first user-interactive authentication answer.
    pub errcode: Option<ErrorCode>,
    /// The `error`: a sentence for people.
    pub message: Cow<'static, str>,
    extra: Map<String, Value>,
    retry_after: Option<Duration>,
}

impl MatrixError {
    /// An error with this status, code and message.
    pub fn new(status: StatusCode, errcode: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self { status, errcode: Some(errcode), message, extra: Map::new(), retry_after: None }
    }

    /// 403 `M_FORBIDDEN`.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden, message)
    }

    /// 404 `M_NOT_FOUND`.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, message)
    }

    /// 400 `M_INVALID_PARAM`.
    pub fn invalid_param(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidParam, message)
    }

    /// 400 `M_MISSING_PARAM`.
    pub fn missing_param(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::MissingParam, message)
    }

    /// 400 `M_BAD_JSON`: JSON, but not of the form that is asked for.
    pub fn bad_json(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::BadJson, message)
    }

    /// 400 `M_NOT_JSON`.
    pub fn not_json(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::NotJson, message)
    }

    /// 413 `M_TOO_LARGE`.
    pub fn too_large(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge, message)
    }

    /// 401 `M_MISSING_TOKEN`.
    pub fn missing_token(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::MissingToken, message)
    }

    /// 401 `M_UNKNOWN_TOKEN`. With `soft_logout` the client keeps its keys and logs in again
    /// (<https://spec.matrix.org/v1.19/client-server-api/#soft-logout>).
    pub fn unknown_token(soft_logout: bool) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::UnknownToken, "The access token is not known.")
            .with("soft_logout", soft_logout)
    }

    /// 404 `M_UNRECOGNIZED`: there is no such endpoint.
    pub fn unrecognized() -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorCode::Unrecognized, "This endpoint does not exist here.")
    }

    /// 429 `M_LIMIT_EXCEEDED`, to be tried again after `retry_after`.
    pub fn limit_exceeded(retry_after: Duration) -> Self {
        let mut error =
            Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::LimitExceeded, "Too many requests.");
        error.retry_after = Some(retry_after);
        let milliseconds = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
        error.with("retry_after_ms", milliseconds)
    }

    /// 500 `M_UNKNOWN` for what nobody foresaw. The cause is logged here, once, and never sent.
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::opaque()
    }

    /// The body of every 500; says nothing of the cause.
    pub(crate) fn opaque() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown, "Internal server error.")
    }

    /// 401 that asks for a stage of user-interactive authentication
    /// (<https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api>).
    pub fn interactive_authentication(info: &UiaaInfo) -> Self {
        match serde_json::to_value(info) {
            Ok(Value::Object(extra)) => Self {
                status: StatusCode::UNAUTHORIZED,
                errcode: None,
                message: Cow::Borrowed(""),
                extra,
                retry_after: None,
            },
            Ok(_) => Self::internal("the user-interactive authentication answer is not an object"),
            Err(error) => Self::internal(error),
        }
    }

    /// This error with one more field in its body.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(key.to_owned(), value.into());
        self
    }

    /// This error with another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    fn body(&self) -> Value {
        let mut body = self.extra.clone();
        if let Some(errcode) = &self.errcode {
            body.insert("errcode".to_owned(), errcode.as_str().into());
            body.insert("error".to_owned(), self.message.as_ref().into());
        }
        Value::Object(body)
    }
}

impl fmt::Display for MatrixError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errcode = self.errcode.as_ref().map_or("(no errcode)", ErrorCode::as_str);
        write!(formatter, "{} {errcode}: {}", self.status.as_u16(), self.message)
    }
}

impl std::error::Error for MatrixError {}

impl IntoResponse for MatrixError {
    fn into_response(self) -> Response {
        let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut response = (self.status, [json], self.body().to_string()).into_response();
        if let Some(retry_after) = self.retry_after {
            // Whole seconds, rounded up: a client that comes back too early is refused again.
            let seconds = retry_after.as_millis().div_ceil(1000);
            if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
        }
        response
    }
}
