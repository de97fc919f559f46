//! Reading a request's body, bounded, and saying precisely what is wrong with it.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use ruma::api::error::{DeserializationError, FromHttpRequestError, HeaderDeserializationError};
use serde::de::DeserializeOwned;
use serde_json::{error::Category, value::RawValue};

use crate::MatrixError;

/// Reads a body of at most `limit_bytes`.
///
/// # Errors
/// `M_TOO_LARGE` beyond the limit; `M_UNKNOWN` where the client went away in the middle.
pub async fn read_body(body: Body, limit_bytes: usize) -> Result<Bytes, MatrixError> {
    match Limited::new(body, limit_bytes).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            Err(MatrixError::too_large(format!("The body is larger than {limit_bytes} bytes.")))
        }
        Err(_) => Err(MatrixError::new(
            http::StatusCode::BAD_REQUEST,
            ruma::api::error::ErrorCode::Unknown,
            "The body could not be read to its end.",
        )),
    }
}

/// Parses a JSON object into `T`, for handlers which do their own JSON. An empty body counts as `{}`.
///
/// # Errors
/// `M_NOT_JSON`, `M_BAD_JSON` or `M_MISSING_PARAM`, as the case is.
pub fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, MatrixError> {
    let body = if body.is_empty() { b"{}" } else { body };
    check_is_json_object(body)?;
    serde_json::from_slice(body).map_err(|error| from_json_error(&error))
}

/// Refuses what is not a JSON object: every JSON body of the specification is one.
pub(crate) fn check_is_json_object(body: &[u8]) -> Result<(), MatrixError> {
    let text =
        std::str::from_utf8(body).map_err(|_| MatrixError::not_json("The body is not valid UTF-8."))?;
    let value: &RawValue = serde_json::from_str(text)
        .map_err(|error| MatrixError::not_json(format!("The body is not JSON: {error}")))?;
    if value.get().starts_with('{') {
        Ok(())
    } else {
        Err(MatrixError::bad_json("The body must be a JSON object."))
    }
}

/// What to answer where the typed request could not be made.
pub(crate) fn from_request_error(error: &FromHttpRequestError) -> MatrixError {
    match error {
        FromHttpRequestError::Deserialization(error) => from_deserialization_error(error),
        FromHttpRequestError::MethodMismatch { .. } => {
            MatrixError::unrecognized().with_status(http::StatusCode::METHOD_NOT_ALLOWED)
        }
        other => MatrixError::internal(other),
    }
}

fn from_deserialization_error(error: &DeserializationError) -> MatrixError {
    match error {
        DeserializationError::Utf8(_) => MatrixError::not_json("The body is not valid UTF-8."),
        DeserializationError::Json(error) => from_json_error(error),
        DeserializationError::Header(HeaderDeserializationError::MissingHeader(name)) => {
            MatrixError::missing_param(format!("The header `{name}` is missing."))
        }
        // Query and path.
        other => {
            let message = other.to_string();
            if names_a_missing_field(&message) {
                MatrixError::missing_param(message)
            } else {
                MatrixError::invalid_param(message)
            }
        }
    }
}

fn from_json_error(error: &serde_json::Error) -> MatrixError {
    let message = error.to_string();
    match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => MatrixError::not_json(message),
        Category::Data if names_a_missing_field(&message) => MatrixError::missing_param(message),
        Category::Data => MatrixError::bad_json(message),
    }
}

/// serde has no kind for this error, only this wording.
fn names_a_missing_field(message: &str) -> bool {
    message.starts_with("missing field")
}
