//! `GET /_parvis/admin/v1/policy/history`

use axum::{extract::Query, response::Response};
use parvis_wire::{Call, MatrixError, json_response};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{AdminApi, Administrator, error::ApiError};

pub(super) const PATH: &str = "/_parvis/admin/v1/policy/history";

/// How many changes a page has if nobody says.
const PAGE: u32 = 50;
/// How many it has at most.
const LARGEST_PAGE: u32 = 500;

#[derive(Deserialize)]
struct Page {
    /// Only changes before this number, as `next_before` of the page before gives it.
    before: Option<i64>,
    /// How many.
    limit: Option<u32>,
}

/// Who changed what of the policy, when, and from what: the newest first.
pub(super) async fn handle(
    api: AdminApi,
    call: Call<Vec<String>, Administrator>,
) -> Result<Response, ApiError> {
    let Query(page) = Query::<Page>::try_from_uri(&call.parts.uri)
        .map_err(|rejection| MatrixError::invalid_param(rejection.body_text()))?;
    let limit = page.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let history = api.organisation.history(page.before, limit).await.map_err(MatrixError::internal)?;
    let json = |text: Option<&String>| text.and_then(|text| serde_json::from_str::<Box<RawValue>>(text).ok());
    let changes = history.iter().map(|change| {
        json!({
            "number": change.change,
            "at": change.changed_ts,
            "by": change.author,
            "name": change.setting,
            "old_value": json(change.old.as_ref()),
            "new_value": json(change.new.as_ref()),
        })
    });
    let mut body = json!({ "changes": changes.collect::<Vec<Value>>() });
    if let Some(last) = history.last().filter(|_| u32::try_from(history.len()) == Ok(limit)) {
        body["next_before"] = last.change.into();
    }
    Ok(json_response(&body))
}
