//! `POST /_parvis/admin/v1/registration_tokens`

use axum::response::Response;
use parvis_accounts::NewToken;
use parvis_wire::{Call, json_response, parse_json};
use serde::Deserialize;

use super::token_json;
use crate::{AdminApi, Administrator, error::ApiError};

pub(super) const PATH: &str = "/_parvis/admin/v1/registration_tokens";

#[derive(Default, Deserialize)]
struct Body {
    /// The token; one is made up if it is left out.
    token: Option<String>,
    /// How many accounts may be made with it; any number if it is left out.
    uses_allowed: Option<i64>,
    /// Until when it is good, in milliseconds since the Unix epoch; for ever if it is left out.
    expires_at: Option<i64>,
}

/// Makes a token that lets its holders register.
pub(super) async fn handle(
    api: AdminApi,
    call: Call<Vec<String>, Administrator>,
) -> Result<Response, ApiError> {
    let body = if call.body.is_empty() { Body::default() } else { parse_json(&call.body)? };
    let wanted = NewToken {
        token: body.token,
        uses_allowed: body.uses_allowed,
        expires_ts: body.expires_at,
        created_by: call.principal.user_id.to_string(),
    };
    Ok(json_response(&token_json(&api.accounts.give_registration_token(wanted).await?)))
}
