//! `DELETE /_parvis/admin/v1/registration_tokens/{token}`

use axum::response::Response;
use parvis_wire::{Call, json_response};
use serde_json::json;

use super::variable;
use crate::{AdminApi, Administrator, error::ApiError};

pub(super) const PATH: &str = "/_parvis/admin/v1/registration_tokens/{token}";

/// Takes a token away; accounts that were made with it stay.
pub(super) async fn handle(
    api: AdminApi,
    call: Call<Vec<String>, Administrator>,
) -> Result<Response, ApiError> {
    api.accounts.revoke_registration_token(variable(&call, 0)).await?;
    Ok(json_response(&json!({})))
}
