//! The table from the engines' errors to Matrix errors: one `From` for each family of operations.

use parvis_wire::MatrixError;

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
