//! `PUT /_parvis/admin/v1/reports/{number}`

use axum::response::Response;
use parvis_wire::{Call, json_response, parse_json};
use serde::Deserialize;

use super::{number, report_json};
use crate::{AdminApi, Administrator, error::ApiError};

pub(super) const PATH: &str = "/_parvis/admin/v1/reports/{number}";

#[derive(Deserialize)]
struct Body {
    /// Whether the report is done with.
    closed: bool,
    /// What is to be remembered about it.
    note: Option<String>,
}

/// Closes a report, or opens it again.
pub(super) async fn handle(
    api: AdminApi,
    call: Call<Vec<String>, Administrator>,
) -> Result<Response, ApiError> {
    let body: Body = parse_json(&call.body)?;
    let (by, number) = (&call.principal.user_id, number(&call, 0)?);
    let report = api.rooms.close_report(by, number, body.closed, body.note.as_deref()).await?;
    Ok(json_response(&report_json(&report, true)))
}
