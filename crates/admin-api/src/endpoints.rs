//! All endpoints. Each has a file of its own.

mod change_policy;
mod explain_encryption;
mod get_policy;
mod get_policy_history;

use http::Method;
use parvis_organisation::{Holding, Source};
use parvis_wire::{Call, Endpoint, Endpoints};

use serde_json::{Value, json};

use crate::{AdminApi, Administrator};

pub(crate) fn all() -> Endpoints<AdminApi> {
    Endpoints::new()
        .with(Endpoint::own(Method::GET, get_policy::PATH, get_policy::handle))
        .with(Endpoint::own(Method::GET, get_policy_history::PATH, get_policy_history::handle))
        .with(Endpoint::own(Method::PUT, change_policy::PATH, change_policy::set))
        .with(Endpoint::own(Method::DELETE, change_policy::PATH, change_policy::take_back))
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
