//! `GET /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keyskeysroomidsessionid>).

use parvis_e2ee::{BackupError, KeysMeant};
use parvis_wire::Call;
use ruma::api::client::backup::get_backup_keys_for_session::v3::{Request, Response};

use super::{version, write_key};
use crate::{ApiError, ClientApi, Session};

/// The key of a session.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { version: number, room_id, session_id, .. } = &call.request;
    let meant = KeysMeant::Session(room_id, session_id);
    let keys = api.e2ee.room_keys(call.principal.user, version(number)?, meant).await?;
    Ok(Response::new(write_key(keys.first().ok_or(BackupError::NoKey)?)?))
}
