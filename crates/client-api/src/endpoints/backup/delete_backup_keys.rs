//! `DELETE /_matrix/client/v3/room_keys/keys`
//! (<https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3room_keyskeys>).

use parvis_e2ee::KeysMeant;
use parvis_wire::Call;
use ruma::api::client::backup::delete_backup_keys::v3::{Request, Response};

use super::{stored, version};
use crate::{ApiError, ClientApi, Session};

/// Throws all keys of a version away.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { version: number, .. } = &call.request;
    let meant = KeysMeant::All;
    let (etag, count) =
        stored(api.e2ee.delete_room_keys(call.principal.user, version(number)?, meant).await?);
    Ok(Response::new(etag, count))
}
