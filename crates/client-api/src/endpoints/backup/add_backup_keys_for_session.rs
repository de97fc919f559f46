//! `PUT /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keyskeysroomidsessionid>).

use parvis_wire::Call;
use ruma::api::client::backup::add_backup_keys_for_session::v3::{Request, Response};

use super::{read_key, stored, version};
use crate::{ApiError, ClientApi, Session};

/// Keeps the key of a session.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { version: number, room_id, session_id, session_data, .. } = &call.request;
    let keys = vec![read_key(room_id, session_id, session_data)?];
    let (etag, count) = stored(api.e2ee.put_room_keys(call.principal.user, version(number)?, &keys).await?);
    Ok(Response::new(etag, count))
}
