//! `GET /.well-known/matrix/server`
//! (<https://spec.matrix.org/v1.19/server-server-api/#getwell-knownmatrixserver>).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use parvis_wire::{MatrixError, Stream};
use ruma::api::{auth_scheme::NoAuthentication, metadata};

use crate::{ApiError, ClientApi};

/// Stands for the request in the table of endpoints; it has no content.
#[derive(Debug)]
pub(super) struct Request;

metadata! {
    method: GET,
    rate_limited: false,
    authentication: NoAuthentication,
    path: "/.well-known/matrix/server",
}

/// Where other servers reach this homeserver, if the organisation says so.
pub(super) async fn handle(api: ClientApi, _: Stream<()>) -> Result<Response, ApiError> {
    let Some(address) = &api.discovery.federation_address else {
        return Err(MatrixError::not_found("Other servers are not sent elsewhere.").into());
    };
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(([json], serde_json::json!({ "m.server": address }).to_string()).into_response())
}
