//! The query string of requests whose bodies are not typed.

use axum::extract::Query;
use http::Uri;
use parvis_wire::MatrixError;
use serde::de::DeserializeOwned;

/// What the query string says.
///
/// # Errors
/// `M_MISSING_PARAM` or `M_INVALID_PARAM`.
pub(crate) fn parse_query<T: DeserializeOwned>(uri: &Uri) -> Result<T, MatrixError> {
    match Query::try_from_uri(uri) {
        Ok(Query(query)) => Ok(query),
        Err(rejection) => {
            let message = rejection.body_text();
            Err(if message.contains("missing field") {
                MatrixError::missing_param(message)
            } else {
                MatrixError::invalid_param(message)
            })
        }
    }
}
