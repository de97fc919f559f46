//! `GET /_matrix/client/v3/thirdparty/protocols`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartyprotocols>).

use axum::response::Response;
use parvis_wire::{Call, json_response};
use ruma::api::client::thirdparty::get_protocols::v3::Request;

use crate::{ApiError, ClientApi, Session};

/// The other networks to which there are bridges.
pub(super) async fn handle(api: ClientApi, _: Call<Request, Session>) -> Result<Response, ApiError> {
    Ok(json_response(&api.services.protocols(None).await))
}
