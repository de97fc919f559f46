//! `GET /_parvis/admin/v1/policy`

use axum::response::Response;
use parvis_wire::{Call, json_response};
use serde_json::{Value, json};

use super::setting_json;
use crate::{AdminApi, Administrator, error::ApiError};

pub(super) const PATH: &str = "/_parvis/admin/v1/policy";

/// Every setting of the organisation's policy, and where its value comes from.
pub(super) async fn handle(api: AdminApi, _: Call<Vec<String>, Administrator>) -> Result<Response, ApiError> {
    let settings: Vec<Value> = api.organisation.holdings().iter().map(setting_json).collect();
    Ok(json_response(&json!({ "settings": settings })))
}
