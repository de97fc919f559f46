//! Where an identity provider says that somebody's sign-in there has ended
//! (<https://openid.net/specs/openid-connect-backchannel-1_0.html#BCRequest>).

use axum::response::Response;
use http::StatusCode;
use parvis_accounts::ProviderError;
use parvis_wire::{MatrixError, Stream, json_response};
use serde_json::json;

use super::{refusal, sign_on, unkept};
use crate::{ApiError, ClientApi, RateLimitKey, pages::Fields};

/// Ends what began with that sign-in. A provider ends many at once, so only what is refused is counted, which a provider's
/// own is not.
pub(super) async fn handle(api: ClientApi, stream: Stream<()>) -> Result<Response, ApiError> {
    sign_on(&api)?;
    let from = RateLimitKey::Address(stream.client_address().map(|address| address.0));
    api.limits.login.peek(&from)?;
    let provider = stream.path.first().cloned().unwrap_or_default();
    let form = Fields::read(&stream.parts.headers, stream.body).await.unwrap_or_default();
    let Some(token) = form.said("logout_token") else {
        return Ok(refusal(StatusCode::BAD_REQUEST, "invalid_request", "logout_token is missing"));
    };
    let error = match api.accounts.end_by_provider(&provider, token).await {
        Ok(ended) => {
            tracing::info!(provider, ended, "an identity provider has ended sign-ins");
            return Ok(unkept(json_response(&json!({}))));
        }
        Err(ProviderError::Storage(error)) => return Err(error.into()),
        Err(ProviderError::Unknown) => return Err(MatrixError::unrecognized().into()),
        Err(error) => error,
    };
    api.limits.login.count(from)?;
    tracing::warn!(provider, %error, "an identity provider's word of an end was refused");
    Ok(match error {
        ProviderError::Unreachable(_) => refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "the keys of the provider cannot be fetched",
        ),
        error => refusal(StatusCode::BAD_REQUEST, "invalid_request", &error.to_string()),
    })
}
