//! `GET /_matrix/client/v3/capabilities`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3capabilities>).

use std::collections::BTreeMap;

use axum::response::Response;
use parvis_events::RoomVersion;
use parvis_wire::{Call, json_response};
use ruma::{RoomVersionId, api::client::discovery::get_capabilities::v3::Request};
use serde_json::json;

use crate::{ApiError, ClientApi, Session};

/// What the user may do here. All is said, also what goes without saying and ruma would leave out.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let versions = &api.room_versions;
    let available: BTreeMap<&str, &str> =
        versions.allowed.iter().map(|version| (version.as_str(), stability(version))).collect();
    let enabled = |enabled: bool| json!({ "enabled": enabled });
    let managed = api.accounts.managed_profile_fields();
    let mut fields = enabled(true);
    if !managed.is_empty() {
        fields["disallowed"] = json!(managed);
    }
    let mut capabilities = json!({
        "m.room_versions": { "default": versions.default, "available": available },
        "m.change_password": enabled(api.accounts.users_change_passwords()),
        "m.set_displayname": enabled(!managed.contains(&"displayname")),
        "m.set_avatar_url": enabled(!managed.contains(&"avatar_url")),
        "m.profile_fields": fields,
        "m.3pid_changes": enabled(api.accounts.users_change_addresses()),
        "m.get_login_token": enabled(true),
    });
    // Told to those alone whom it concerns.
    if call.principal.is_admin {
        capabilities["m.account_moderation"] = json!({ "suspend": true, "lock": true });
    }
    Ok(json_response(&json!({ "capabilities": capabilities })))
}

/// Whether the specification has a room version, or a proposal.
fn stability(version: &RoomVersionId) -> &'static str {
    let is_proposed = RoomVersion::proposed().any(|proposed| proposed.as_str() == version.as_str());
    if is_proposed { "unstable" } else { "stable" }
}
