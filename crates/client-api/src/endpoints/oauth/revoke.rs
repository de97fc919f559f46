//! Revoking a token, which logs out (<https://spec.matrix.org/v1.19/client-server-api/#token-revocation>).

use axum::response::Response;
use http::StatusCode;
use parvis_wire::{Stream, json_response};
use serde_json::json;

use super::{refusal, sign_on, unkept};
use crate::{ApiError, ClientApi, pages::Fields};

/// Ends the session that has a token, whoever asks: a token that others know is to end.
pub(super) async fn handle(api: ClientApi, stream: Stream<()>) -> Result<Response, ApiError> {
    sign_on(&api)?;
    let form = Fields::read(&stream.parts.headers, stream.body).await.unwrap_or_default();
    let Some(token) = form.said("token") else {
        return Ok(refusal(StatusCode::BAD_REQUEST, "invalid_request", "token is missing"));
    };
    api.accounts.revoke(token).await?;
    Ok(unkept(json_response(&json!({}))))
}
