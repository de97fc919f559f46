//! All endpoints. Each has a file of its own.

mod change_policy;
mod close_report;
mod explain_encryption;
mod get_policy;
mod get_policy_history;
mod get_report;
mod give_registration_token;
mod list_registration_tokens;
mod list_reports;
mod revoke_registration_token;
mod send_notice;

use http::Method;
use parvis_accounts::GivenToken;
use parvis_organisation::{Holding, Source};
use parvis_rooms::{Report, ReportedThing};
use parvis_wire::{Call, Endpoint, Endpoints, MatrixError};

use serde_json::{Value, json};

use crate::{AdminApi, Administrator};

pub(crate) fn all() -> Endpoints<AdminApi> {
    Endpoints::new()
        .with(Endpoint::own(Method::GET, get_policy::PATH, get_policy::handle))
        .with(Endpoint::own(Method::GET, get_policy_history::PATH, get_policy_history::handle))
        .with(Endpoint::own(Method::PUT, change_policy::PATH, change_policy::set))
        .with(Endpoint::own(Method::DELETE, change_policy::PATH, change_policy::take_back))
        .with(Endpoint::own(Method::GET, list_reports::PATH, list_reports::handle))
        .with(Endpoint::own(Method::GET, get_report::PATH, get_report::handle))
        .with(Endpoint::own(Method::PUT, close_report::PATH, close_report::handle))
        .with(Endpoint::own(Method::GET, list_registration_tokens::PATH, list_registration_tokens::handle))
        .with(Endpoint::own(Method::POST, give_registration_token::PATH, give_registration_token::handle))
        .with(Endpoint::own(
            Method::DELETE,
            revoke_registration_token::PATH,
            revoke_registration_token::handle,
        ))
        .with(
            Endpoint::own(Method::POST, send_notice::PATH, send_notice::handle)
                .also_at(send_notice::OLDER_PATH),
        )
        .with(
            Endpoint::own(Method::PUT, send_notice::ONCE_PATH, send_notice::handle)
                .also_at(send_notice::OLDER_ONCE_PATH),
        )
        .with(Endpoint::own(Method::GET, explain_encryption::PATH, explain_encryption::handle))
}

/// A variable of the path.
fn variable(call: &Call<Vec<String>, Administrator>, index: usize) -> &str {
    call.request.get(index).map_or("", String::as_str)
}

/// A setting as it is shown: its name, its value, and where that comes from.
fn setting_json(holding: &Holding) -> Value {
    json!({ "name": holding.name, "value": holding.value, "source": source_json(&holding.source) })
}

fn source_json(source: &Source) -> Value {
    match source {
        Source::Default => json!({ "kind": "default" }),
        Source::Pinned => json!({ "kind": "configuration" }),
        Source::Set { author, changed_ts } => json!({ "kind": "set", "by": author, "at": changed_ts }),
    }
}

/// A number in the path.
fn number(call: &Call<Vec<String>, Administrator>, index: usize) -> Result<i64, MatrixError> {
    variable(call, index).parse().map_err(|_| MatrixError::invalid_param("This is no number."))
}

/// A report as it is shown. What was said in an event only stands where one report is looked at.
fn report_json(report: &Report, in_full: bool) -> Value {
    let mut json = json!({
        "number": report.report,
        "at": report.created_ts,
        "by": report.reporter,
        "reason": report.reason,
        "closed": report.closed.is_some(),
    });
    match &report.thing {
        ReportedThing::Event { room_id, event_id, sender, event } => {
            json["kind"] = "event".into();
            json["room_id"] = room_id.as_str().into();
            json["event_id"] = event_id.as_str().into();
            json["user_id"] = sender.as_str().into();
            if in_full {
                json["event"] = serde_json::from_str(event).unwrap_or_default();
            }
        }
        ReportedThing::Room(room_id) => {
            json["kind"] = "room".into();
            json["room_id"] = room_id.as_str().into();
        }
        ReportedThing::User(user_id) => {
            json["kind"] = "user".into();
            json["user_id"] = user_id.as_str().into();
        }
    }
    if let Some((closed_ts, closed_by)) = &report.closed {
        json["closed_at"] = (*closed_ts).into();
        json["closed_by"] = closed_by.as_str().into();
    }
    if let Some(note) = &report.note {
        json["note"] = note.as_str().into();
    }
    json
}

/// A token for registering as it is shown.
fn token_json(given: &GivenToken) -> Value {
    json!({
        "token": given.token,
        "uses_allowed": given.uses_allowed,
        "uses": given.uses,
        "expires_at": given.expires_ts,
        "made_at": given.created_ts,
        "made_by": given.created_by,
    })
}
