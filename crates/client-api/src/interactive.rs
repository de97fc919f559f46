//! User-interactive authentication over HTTP: bodies with an `auth`, and the 401 that asks for more
//! (<https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api>).
//!
//! Such bodies are read here and not by ruma: the session is bound to the body as it came, and an `auth` that
//! is incomplete must be answered, not refused.

use axum::body::Body;
use http::request::Parts;
use parvis_accounts::{InteractiveError, Operation, Session};
use parvis_wire::{MatrixError, parse_json, read_body};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{ApiError, ClientApi, RateLimitKey};

/// The largest body of such a request.
const BODY_LIMIT_BYTES: usize = 64 << 10;

/// A body that may have an `auth`, and what else it says.
pub(crate) struct InteractiveBody<T> {
    /// What it says.
    pub(crate) request: T,
    /// All of it.
    pub(crate) fields: Map<String, Value>,
}

/// Reads the body of a request.
pub(crate) async fn read<T: DeserializeOwned>(body: Body) -> Result<InteractiveBody<T>, MatrixError> {
    let body = read_body(body, BODY_LIMIT_BYTES).await?;
    Ok(InteractiveBody { request: parse_json(&body)?, fields: parse_json(&body)? })
}

/// What the session of an authentication is bound to: the method and the path.
pub(crate) fn operation_name(parts: &Parts) -> String {
    format!("{} {}", parts.method, parts.uri.path())
}

/// As [`confirm`], for putting other keys for cross-signing in the place of those that are there: what apps that have
/// their session by OAuth 2.0 may ask for as well.
pub(crate) async fn confirm_reset(
    api: &ClientApi,
    session: &Session,
    parts: &Parts,
    fields: &Map<String, Value>,
) -> Result<(), ApiError> {
    if !session.by_oauth {
        return confirm(api, session, parts, fields).await;
    }
    let operation = Operation { session: Some(session), name: &operation_name(parts), body: fields };
    Ok(api.accounts.confirm_reset(operation).await?)
}

/// Returns if the user has proved who they are for this request, or an application service acts, which has proved
/// enough with its token.
///
/// # Errors
/// Mostly the 401 that asks for more. 429 for those who try passwords.
pub(crate) async fn confirm(
    api: &ClientApi,
    session: &Session,
    parts: &Parts,
    fields: &Map<String, Value>,
) -> Result<(), ApiError> {
    if session.service.is_some() {
        return Ok(());
    }
    if session.by_oauth {
        let message = "This is done on the account page, in a browser.";
        return Err(MatrixError::forbidden(message).into());
    }
    let account = RateLimitKey::Account(session.user_id.localpart().to_owned());
    let tries_password = fields.get("auth").is_some_and(|auth| auth.get("password").is_some());
    if tries_password {
        api.limits.login.peek(&account)?;
    }
    let operation = Operation { session: Some(session), name: &operation_name(parts), body: fields };
    let outcome = api.accounts.confirm(operation).await;
    if let Err(InteractiveError::Incomplete(challenge)) = &outcome
        && tries_password
        && challenge.problem.is_some()
    {
        api.limits.login.count(account)?;
    }
    Ok(outcome?)
}
