//! Letting in an app without a browser
//! (<https://spec.matrix.org/v1.19/client-server-api/#device-authorisation-flow>).

use axum::response::Response;
use http::StatusCode;
use parvis_accounts::DeviceRequest;
use parvis_wire::{Stream, json_response};
use serde_json::json;

use super::{refusal, sign_on, token, unkept};
use crate::{
    ApiError, ClientApi, RateLimitKey,
    pages::{Fields, LINK, absolute, with_query},
};

/// Gives an app a code for itself and one for its user.
pub(super) async fn handle(api: ClientApi, stream: Stream<()>) -> Result<Response, ApiError> {
    sign_on(&api)?;
    let from = RateLimitKey::Address(stream.client_address().map(|address| address.0));
    api.limits.login.count(from)?;
    let form = Fields::read(&stream.parts.headers, stream.body).await.unwrap_or_default();
    let (Some(client_id), Some(scope)) = (form.said("client_id"), form.said("scope")) else {
        return Ok(refusal(StatusCode::BAD_REQUEST, "invalid_request", "client_id or scope is missing"));
    };
    let DeviceRequest { device_code, user_code, lifetime, interval } =
        match api.accounts.ask_on_another_machine(client_id, scope).await {
            Ok(request) => request,
            Err(error) => return token::answer(&error),
        };
    Ok(unkept(json_response(&json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": absolute(&api, LINK),
        "verification_uri_complete": absolute(&api, &with_query(LINK, &[("code", &user_code)])),
        "expires_in": lifetime.as_secs(),
        "interval": interval.as_secs(),
    }))))
}
