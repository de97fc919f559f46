//! `PUT` and `DELETE /_parvis/admin/v1/policy/{setting}`

use axum::response::Response;
use parvis_wire::{Call, MatrixError, json_response, parse_json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{setting_json, variable};
use crate::{AdminApi, Administrator, error::ApiError};

pub(super) const PATH: &str = "/_parvis/admin/v1/policy/{setting}";

#[derive(Deserialize)]
struct Body {
    /// What the setting is to be.
    value: Option<Value>,
}

/// Sets a setting; it holds at once.
pub(super) async fn set(api: AdminApi, call: Call<Vec<String>, Administrator>) -> Result<Response, ApiError> {
    let body: Body = parse_json(&call.body)?;
    let value = body.value.ok_or_else(|| MatrixError::missing_param("`value` is missing"))?;
    change(&api, &call, Some(value)).await
}

/// Takes a setting back to its default; that holds at once.
pub(super) async fn take_back(
    api: AdminApi,
    call: Call<Vec<String>, Administrator>,
) -> Result<Response, ApiError> {
    change(&api, &call, None).await
}

async fn change(
    api: &AdminApi,
    call: &Call<Vec<String>, Administrator>,
    value: Option<Value>,
) -> Result<Response, ApiError> {
    let setting = variable(call, 0).to_owned();
    let changed = api.organisation.change(call.principal.user_id.as_str(), &[(setting, value)]).await?;
    let changed: Vec<Value> = changed.iter().map(setting_json).collect();
    Ok(json_response(&json!({ "changed": changed })))
}
