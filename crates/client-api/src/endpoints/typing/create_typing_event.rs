//! `PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidtypinguserid>).

use parvis_wire::{Call, MatrixError};
use ruma::api::client::typing::create_typing_event::v3::{Request, Response, Typing};

use crate::{ApiError, ClientApi, Session, actor::reader};

/// Notes that the caller is typing for a while, or not any more.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { room_id, user_id, state, .. } = &call.request;
    if *user_id != call.principal.user_id {
        return Err(MatrixError::forbidden("you can only say of yourself that you are typing").into());
    }
    let typing_for = match state {
        Typing::Yes(info) => Some(info.timeout),
        Typing::No => None,
    };
    api.sync.set_typing(reader(&call.principal), room_id, typing_for).await?;
    Ok(Response::new())
}
