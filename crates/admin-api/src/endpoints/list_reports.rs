//! `GET /_parvis/admin/v1/reports`

use axum::{extract::Query, response::Response};
use parvis_rooms::ReportsWanted;
use parvis_wire::{Call, MatrixError, json_response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::report_json;
use crate::{AdminApi, Administrator, error::ApiError};

pub(super) const PATH: &str = "/_parvis/admin/v1/reports";

/// How many reports a page has if nobody says.
const PAGE: u32 = 50;
/// How many it has at most.
const LARGEST_PAGE: u32 = 500;

#[derive(Deserialize)]
struct Page {
    /// `open`, `closed` or `all`.
    #[serde(default)]
    status: Status,
    /// Only reports before this number, as `next_before` of the page before gives it.
    before: Option<i64>,
    /// How many.
    limit: Option<u32>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    #[default]
    Open,
    Closed,
    All,
}

/// What users have reported, the newest first; without what reported events say.
pub(super) async fn handle(
    api: AdminApi,
    call: Call<Vec<String>, Administrator>,
) -> Result<Response, ApiError> {
    let Query(page) = Query::<Page>::try_from_uri(&call.parts.uri)
        .map_err(|rejection| MatrixError::invalid_param(rejection.body_text()))?;
    let limit = page.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let wanted = match page.status {
        Status::Open => ReportsWanted::Open,
        Status::Closed => ReportsWanted::Closed,
        Status::All => ReportsWanted::All,
    };
    let reports = api.rooms.reports(wanted, page.before, limit).await?;
    let shown: Vec<Value> = reports.iter().map(|report| report_json(report, false)).collect();
    let mut body = json!({ "reports": shown });
    if let Some(last) = reports.last().filter(|_| u32::try_from(reports.len()) == Ok(limit)) {
        body["next_before"] = last.report.into();
    }
    Ok(json_response(&body))
}
