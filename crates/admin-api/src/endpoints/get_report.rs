//! `GET /_parvis/admin/v1/reports/{number}`

use axum::response::Response;
use parvis_wire::{Call, json_response};

use super::{number, report_json};
use crate::{AdminApi, Administrator, error::ApiError};

pub(super) const PATH: &str = "/_parvis/admin/v1/reports/{number}";

/// A report, with the event that was reported as it was at that time.
pub(super) async fn handle(
    api: AdminApi,
    call: Call<Vec<String>, Administrator>,
) -> Result<Response, ApiError> {
    let report = api.rooms.report(number(&call, 0)?).await?;
    Ok(json_response(&report_json(&report, true)))
}
