//! The token endpoint (<https://spec.matrix.org/v1.19/client-server-api/#grant-types>).

use axum::response::Response;
use http::StatusCode;
use parvis_accounts::{IssueError, IssuedTokens, OpenedSession, TokenRequest};
use parvis_wire::{MatrixError, Stream, json_response};
use serde_json::json;

use super::{refusal, sign_on, unkept};
use crate::{ApiError, ClientApi, RateLimitKey, pages::Fields};

/// Gives an app tokens. Those who try codes are slowed down, by the address from which they come.
pub(super) async fn handle(api: ClientApi, stream: Stream<()>) -> Result<Response, ApiError> {
    sign_on(&api)?;
    let from = RateLimitKey::Address(stream.client_address().map(|address| address.0));
    let Ok(form) = Fields::read(&stream.parts.headers, stream.body).await else {
        return Ok(refusal(StatusCode::BAD_REQUEST, "invalid_request", "the body is not a form"));
    };
    let Some(request) = request(&form) else {
        return Ok(refusal(StatusCode::BAD_REQUEST, "invalid_request", "a parameter stands there twice"));
    };
    api.limits.login.peek(&from)?;
    match api.accounts.issue_tokens(&request).await {
        Ok(issued) => Ok(tokens(issued)),
        Err(error) => {
            if matches!(error, IssueError::InvalidGrant(_)) {
                api.limits.login.count(from)?;
            }
            answer(&error)
        }
    }
}

/// What is asked for; `None` if something is said twice (RFC 6749, section 3.2).
fn request(form: &Fields) -> Option<TokenRequest> {
    let field = |name: &str| {
        let mut all = form.all(name);
        let first = all.next().filter(|value| !value.is_empty()).map(str::to_owned);
        all.next().is_none().then_some(first)
    };
    Some(TokenRequest {
        grant_type: field("grant_type")?,
        client_id: field("client_id")?,
        code: field("code")?,
        redirect_uri: field("redirect_uri")?,
        code_verifier: field("code_verifier")?,
        refresh_token: field("refresh_token")?,
        device_code: field("device_code")?,
    })
}

fn tokens(issued: IssuedTokens) -> Response {
    let IssuedTokens { session, scope } = issued;
    let OpenedSession { access_token, refresh_token, expires_in, .. } = session;
    let mut body = json!({ "access_token": access_token, "token_type": "Bearer" });
    if let Some(refresh_token) = refresh_token {
        body["refresh_token"] = refresh_token.into();
    }
    if let Some(expires_in) = expires_in {
        body["expires_in"] = expires_in.as_secs().into();
    }
    if let Some(scope) = scope {
        body["scope"] = scope.into();
    }
    unkept(json_response(&body))
}

/// The answer of RFC 6749 and RFC 8628 to each failure.
pub(super) fn answer(error: &IssueError) -> Result<Response, ApiError> {
    let (status, code) = match error {
        IssueError::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
        IssueError::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client"),
        IssueError::UnauthorizedClient => (StatusCode::BAD_REQUEST, "unauthorized_client"),
        IssueError::InvalidGrant(_) => (StatusCode::BAD_REQUEST, "invalid_grant"),
        IssueError::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        IssueError::AuthorizationPending => (StatusCode::BAD_REQUEST, "authorization_pending"),
        IssueError::SlowDown => (StatusCode::BAD_REQUEST, "slow_down"),
        IssueError::AccessDenied => (StatusCode::BAD_REQUEST, "access_denied"),
        IssueError::ExpiredToken => (StatusCode::BAD_REQUEST, "expired_token"),
        IssueError::Storage(error) => return Err(MatrixError::internal(error).into()),
    };
    Ok(refusal(status, code, &error.to_string()))
}
