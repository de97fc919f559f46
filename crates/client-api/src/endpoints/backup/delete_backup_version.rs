//! `DELETE /_matrix/client/v3/room_keys/version/{version}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3room_keysversionversion>).

use parvis_wire::Call;
use ruma::api::client::backup::delete_backup_version::v3::{Request, Response};

use super::version;
use crate::{ApiError, ClientApi, Session};

/// Throws a version away with all its keys.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    api.e2ee.delete_backup(call.principal.user, version(&call.request.version)?).await?;
    Ok(Response::new())
}
