//! `GET /_matrix/client/v3/pushers`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushers>).

use axum::response::Response;
use parvis_accounts::STOP;
use parvis_wire::{Call, MatrixError, json_response};
use ruma::api::client::push::get_pushers::v3::Request;
use serde_json::{Map, Value, json};

use super::{DEVICE_ID, ENABLED};
use crate::{ApiError, ClientApi, Session};

/// Where the user wants to be told when they are not looking.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let mut pushers = Vec::new();
    for kept in api.accounts.pushers(&call.principal).await.map_err(MatrixError::internal)? {
        let mut pusher: Map<String, Value> =
            serde_json::from_str(&kept.pusher).map_err(MatrixError::internal)?;
        pusher.remove(STOP);
        pusher.insert(ENABLED.to_owned(), kept.enabled.into());
        pusher.insert(DEVICE_ID.to_owned(), kept.device_id.as_str().into());
        pushers.push(pusher);
    }
    Ok(json_response(&json!({ "pushers": pushers })))
}
