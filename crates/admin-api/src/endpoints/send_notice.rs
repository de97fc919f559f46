//! `POST /_parvis/admin/v1/server_notices` and `PUT /_parvis/admin/v1/server_notices/{txnId}`
//!
//! Both also at the paths at which tools for Synapse look for them.

use axum::response::Response;
use parvis_wire::{Call, MatrixError, json_response, parse_json};
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{AdminApi, Administrator, error::ApiError};

pub(super) const PATH: &str = "/_parvis/admin/v1/server_notices";
pub(super) const ONCE_PATH: &str = "/_parvis/admin/v1/server_notices/{txn_id}";
pub(super) const OLDER_PATH: &str = "/_synapse/admin/v1/send_server_notice";
pub(super) const OLDER_ONCE_PATH: &str = "/_synapse/admin/v1/send_server_notice/{txn_id}";

#[derive(Deserialize)]
struct Body {
    /// To whom.
    user_id: OwnedUserId,
    /// The content of a message.
    content: Box<RawValue>,
}

/// Says something to a user as the server.
pub(super) async fn handle(
    api: AdminApi,
    call: Call<Vec<String>, Administrator>,
) -> Result<Response, ApiError> {
    let body: Body = parse_json(&call.body)?;
    let administrator = &call.principal.user_id;
    if body.user_id.server_name() != administrator.server_name() {
        return Err(MatrixError::invalid_param("The user is not of this server.").into());
    }
    let transaction_id = call.request.first().map(String::as_str);
    let sent = api.rooms.send_notice(administrator, &body.user_id, body.content, transaction_id).await?;
    Ok(json_response(&json!({ "event_id": sent })))
}
