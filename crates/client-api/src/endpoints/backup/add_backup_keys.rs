//! `PUT /_matrix/client/v3/room_keys/keys`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keyskeys>).

use parvis_wire::Call;
use ruma::api::client::backup::add_backup_keys::v3::{Request, Response};

use super::{read_key, stored, version};
use crate::{ApiError, ClientApi, Session};

/// Keeps keys of several rooms.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { version: number, rooms, .. } = &call.request;
    let sessions = rooms.iter().flat_map(|(room_id, room)| {
        room.sessions.iter().map(move |(session_id, key)| read_key(room_id, session_id, key))
    });
    let keys = sessions.collect::<Result<_, _>>()?;
    let (etag, count) = stored(api.e2ee.put_room_keys(call.principal.user, version(number)?, &keys).await?);
    Ok(Response::new(etag, count))
}
