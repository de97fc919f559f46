//! `GET /_matrix/client/v3/account/3pid`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid>).

use axum::response::Response;
use parvis_wire::{Call, json_response};
use ruma::api::client::account::get_3pids::v3::Request;
use serde_json::{Value, json};

use crate::{ApiError, ClientApi, Session};

/// The user's mail addresses.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let addresses = api.accounts.addresses(call.principal.user).await?;
    let shown = addresses.iter().map(|address| {
        json!({
            "medium": address.medium,
            "address": address.address,
            "validated_at": address.validated_ts,
            "added_at": address.added_ts,
        })
    });
    Ok(json_response(&json!({ "threepids": shown.collect::<Vec<Value>>() })))
}
