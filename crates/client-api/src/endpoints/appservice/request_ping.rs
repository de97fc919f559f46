//! `POST /_matrix/client/v1/appservice/{appserviceId}/ping`
//! (<https://spec.matrix.org/v1.19/application-service-api/#post_matrixclientv1appserviceappserviceidping>).

use http::StatusCode;
use parvis_outbound::PingError;
use parvis_wire::{Call, MatrixError};
use ruma::api::{
    client::appservice::request_ping::v1::{Request, Response},
    error::ErrorCode,
};

use super::service;
use crate::{ApiError, ClientApi, Session};

/// Calls the application service that asks, so that it knows whether it can be reached.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let service = service(&call.principal)?;
    if service.id() != call.request.appservice_id {
        return Err(MatrixError::forbidden("This is the token of another application service.").into());
    }
    let transaction_id = call.request.transaction_id.as_ref().map(|id| id.as_str());
    let took = api.services.ping(service, transaction_id).await.map_err(refusal)?;
    Ok(Response::new(took))
}

fn refusal(error: PingError) -> MatrixError {
    let text = error.to_string();
    let bad_gateway = |errcode| MatrixError::new(StatusCode::BAD_GATEWAY, errcode, text.clone());
    match error {
        PingError::NoUrl => MatrixError::new(StatusCode::BAD_REQUEST, ErrorCode::UrlNotSet, text),
        PingError::Timeout => {
            MatrixError::new(StatusCode::GATEWAY_TIMEOUT, ErrorCode::ConnectionTimeout, text)
        }
        PingError::Unreachable(_) => bad_gateway(ErrorCode::ConnectionFailed),
        PingError::BadStatus { status, body } => {
            bad_gateway(ErrorCode::BadStatus).with("status", status).with("body", body)
        }
    }
}
