//! Work of several steps that goes on to its end even if the client goes away in the middle.

use std::future::Future;

use parvis_wire::MatrixError;
use tracing::Instrument;

use crate::ApiError;

/// Does the work on a task of its own and waits for it. A handler by itself stops where its client hangs up.
pub(crate) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::spawn(work.in_current_span()).await {
        Ok(outcome) => outcome,
        Err(error) => Err(MatrixError::internal(error).into()),
    }
}
