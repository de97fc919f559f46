//! `GET /_matrix/client/v3/room_keys/keys/{roomId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keyskeysroomid>).

use std::collections::BTreeMap;

use parvis_e2ee::KeysMeant;
use parvis_wire::Call;
use ruma::api::client::backup::get_backup_keys_for_room::v3::{Request, Response};

use super::{version, write_key};
use crate::{ApiError, ClientApi, Session};

/// The keys of a room.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { version: number, room_id, .. } = &call.request;
    let meant = KeysMeant::Room(room_id);
    let mut sessions = BTreeMap::new();
    for key in api.e2ee.room_keys(call.principal.user, version(number)?, meant).await? {
        let data = write_key(&key)?;
        sessions.insert(key.session_id, data);
    }
    Ok(Response::new(sessions))
}
