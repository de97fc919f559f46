//! `GET /_matrix/federation/v1/query/{queryType}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1queryquerytype>).

use parvis_wire::{Call, MatrixError};
use ruma::api::federation::query::get_custom_information::v1::{Request, Response};

use crate::{ApiError, FederationApi, Origin};

/// A question of a kind that this server does not know.
pub(super) async fn handle(_: FederationApi, _: Call<Request, Origin>) -> Result<Response, ApiError> {
    Err(MatrixError::unrecognized().into())
}
