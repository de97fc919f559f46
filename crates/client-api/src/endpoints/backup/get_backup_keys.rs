//! `GET /_matrix/client/v3/room_keys/keys`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keyskeys>).

use std::collections::BTreeMap;

use parvis_e2ee::KeysMeant;
use parvis_wire::Call;
use ruma::api::client::backup::{
    RoomKeyBackup,
    get_backup_keys::v3::{Request, Response},
};

use super::{version, write_key};
use crate::{ApiError, ClientApi, Session};

/// All keys of a version.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let version = version(&call.request.version)?;
    let mut rooms = BTreeMap::new();
    for key in api.e2ee.room_keys(call.principal.user, version, KeysMeant::All).await? {
        let data = write_key(&key)?;
        let room = rooms.entry(key.room_id).or_insert_with(|| RoomKeyBackup::new(BTreeMap::new()));
        room.sessions.insert(key.session_id, data);
    }
    Ok(Response::new(rooms))
}
