//! `DELETE /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3room_keyskeysroomidsessionid>).

use parvis_e2ee::KeysMeant;
use parvis_wire::Call;
use ruma::api::client::backup::delete_backup_keys_for_session::v3::{Request, Response};

use super::{stored, version};
use crate::{ApiError, ClientApi, Session};

/// Throws the key of a session away.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { version: number, room_id, session_id, .. } = &call.request;
    let meant = KeysMeant::Session(room_id, session_id);
    let (etag, count) =
        stored(api.e2ee.delete_room_keys(call.principal.user, version(number)?, meant).await?);
    Ok(Response::new(etag, count))
}
