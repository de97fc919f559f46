//! Why somebody is shown another page than they asked for.

use http::StatusCode;
use parvis_accounts::{LoginError, StorageError};
use parvis_wire::MatrixError;

use crate::{ApiError, pages::Words};

/// What a page fails with. People are told in their language, and never more than that.
#[derive(Debug)]
pub(crate) struct PageError {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The sentence, in each language.
    pub(crate) sentence: fn(&Words) -> &'static str,
}

impl PageError {
    pub(crate) fn new(status: StatusCode, sentence: fn(&Words) -> &'static str) -> Self {
        Self { status, sentence }
    }

    /// 400: what was asked for makes no sense.
    pub(crate) fn bad_request() -> Self {
        Self::new(StatusCode::BAD_REQUEST, |words| words.bad_request)
    }
}

impl From<ApiError> for PageError {
    fn from(error: ApiError) -> Self {
        MatrixError::from(error).into()
    }
}

impl From<MatrixError> for PageError {
    fn from(error: MatrixError) -> Self {
        let sentence: fn(&Words) -> &'static str = match error.status {
            StatusCode::TOO_MANY_REQUESTS => |words| words.too_many,
            status if status.is_server_error() => |words| words.failed,
            _ => |words| words.bad_request,
        };
        Self { status: error.status, sentence }
    }
}

impl From<StorageError> for PageError {
    fn from(error: StorageError) -> Self {
        ApiError::from(error).into()
    }
}

impl From<LoginError> for PageError {
    fn from(error: LoginError) -> Self {
        ApiError::from(error).into()
    }
}
