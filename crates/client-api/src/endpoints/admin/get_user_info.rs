//! `GET /_matrix/client/v3/admin/whois/{userId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3adminwhoisuserid>).

use axum::response::Response;
use parvis_wire::{Call, json_response};
use ruma::api::client::admin::get_user_info::v3::Request;
use serde_json::{Map, Value, json};

use super::check_administers;
use crate::{ApiError, ClientApi, Session};

/// Where and when a user's devices were last seen: for the user, and for administrators. The answer is written here,
/// since what is not known would be null in ruma's.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let user_id = &call.request.user_id;
    if call.principal.user_id != *user_id {
        check_administers(&call.principal, user_id)?;
    }
    let account = api.accounts.open_account_of(user_id).await?;
    let mut devices = Map::new();
    for device in api.accounts.devices(account.user).await? {
        let mut connection = Map::new();
        if let Some(address) = device.last_seen_ip {
            connection.insert("ip".to_owned(), address.into());
        }
        if let Some(seen) = device.last_seen_ts {
            connection.insert("last_seen".to_owned(), seen.into());
        }
        let connections: Vec<Value> =
            Some(connection).filter(|known| !known.is_empty()).map(Value::Object).into_iter().collect();
        devices.insert(device.device_id.to_string(), json!({ "sessions": [{ "connections": connections }] }));
    }
    Ok(json_response(&json!({ "user_id": user_id, "devices": devices })))
}
