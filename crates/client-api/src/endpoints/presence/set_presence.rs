//! `PUT /_matrix/client/v3/presence/{userId}/status`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3presenceuseridstatus>).

use parvis_wire::{Call, MatrixError};
use ruma::api::client::presence::set_presence::v3::{Request, Response};

use crate::{ApiError, ClientApi, Session, actor::reader};

/// Sets what the caller's device says of their presence.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { user_id, presence, status_msg, .. } = call.request;
    if user_id != call.principal.user_id {
        return Err(MatrixError::forbidden("you can only set your own presence").into());
    }
    api.sync.set_presence(reader(&call.principal), &presence, status_msg);
    Ok(Response::new())
}
