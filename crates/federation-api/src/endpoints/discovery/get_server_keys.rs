//! `GET /_matrix/key/v2/server`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixkeyv2server>).

use axum::response::Response;
use parvis_wire::{Call, MatrixError};
use ruma::api::federation::discovery::get_server_keys::v2::Request;

use crate::{ApiError, FederationApi, reply::json};

/// The keys of this server.
pub(super) async fn handle(api: FederationApi, _: Call<Request, ()>) -> Result<Response, ApiError> {
    Ok(json(api.keys.own().await.map_err(MatrixError::internal)?))
}
