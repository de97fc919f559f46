//! `GET /_matrix/client/v3/thirdparty/protocol/{protocol}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartyprotocolprotocol>).

use axum::response::Response;
use parvis_wire::{Call, MatrixError, json_response};
use ruma::api::client::thirdparty::get_protocol::v3::Request;

use crate::{ApiError, ClientApi, Session};

/// One of the other networks.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let mut protocols = api.services.protocols(Some(&call.request.protocol)).await;
    let protocol = protocols.remove(&call.request.protocol);
    Ok(json_response(&protocol.ok_or_else(|| MatrixError::not_found("There is no bridge to this network."))?))
}
