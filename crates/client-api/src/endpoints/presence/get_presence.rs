//! `GET /_matrix/client/v3/presence/{userId}/status`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3presenceuseridstatus>).

use std::time::Duration;

use parvis_wire::Call;
use ruma::api::client::presence::get_presence::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, actor::reader};

/// The presence of the caller, or of somebody with whom they share a room.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let update = api.sync.presence_of(reader(&call.principal), &call.request.user_id).await?;
    let mut response = Response::new(update.state);
    response.status_msg = update.status_message;
    response.currently_active = Some(update.currently_active);
    response.last_active_ago = update.last_active_ago_millis.map(Duration::from_millis);
    Ok(response)
}
