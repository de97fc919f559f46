//! `PUT /_matrix/client/v3/room_keys/keys/{roomId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keyskeysroomid>).

use parvis_wire::Call;
use ruma::api::client::backup::add_backup_keys_for_room::v3::{Request, Response};

use super::{read_key, stored, version};
use crate::{ApiError, ClientApi, Session};

/// Keeps keys of a room.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { version: number, room_id, sessions, .. } = &call.request;
    let sessions = sessions.iter().map(|(session_id, key)| read_key(room_id, session_id, key));
    let keys = sessions.collect::<Result<_, _>>()?;
    let (etag, count) = stored(api.e2ee.put_room_keys(call.principal.user, version(number)?, &keys).await?);
    Ok(Response::new(etag, count))
}
