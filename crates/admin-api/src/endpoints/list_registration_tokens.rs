//! `GET /_parvis/admin/v1/registration_tokens`

use axum::response::Response;
use parvis_wire::{Call, MatrixError, json_response};
use serde_json::{Value, json};

use super::token_json;
use crate::{AdminApi, Administrator, error::ApiError};

pub(super) const PATH: &str = "/_parvis/admin/v1/registration_tokens";

/// The tokens that administrators have made, the newest first.
pub(super) async fn handle(api: AdminApi, _: Call<Vec<String>, Administrator>) -> Result<Response, ApiError> {
    let tokens = api.accounts.registration_tokens().await.map_err(MatrixError::internal)?;
    let tokens: Vec<Value> = tokens.iter().map(token_json).collect();
    Ok(json_response(&json!({ "registration_tokens": tokens })))
}
