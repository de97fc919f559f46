//! Small makers of event content.

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

/// By whose right somebody joins: for servers to say, and theirs to vouch for.
pub(crate) const AUTHORISER: &str = "join_authorised_via_users_server";

/// JSON as it goes into an event.
pub(crate) fn raw(value: &impl Serialize) -> Box<RawValue> {
    // Only values that this crate builds come here; their keys are strings, so they can be written.
    serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// The content of a membership event.
pub(crate) fn member(
    membership: &str,
    name: Option<&str>,
    avatar: Option<&str>,
    reason: Option<&str>,
) -> Value {
    let mut content = json!({ "membership": membership });
    let fields = [("displayname", name), ("avatar_url", avatar), ("reason", reason)];
    for (field, value) in fields {
        if let Some(value) = value {
            content[field] = value.into();
        }
    }
    content
}
