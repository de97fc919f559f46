//! `GET /_matrix/client/v3/room_keys/version/{version}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keysversionversion>).

use parvis_wire::Call;
use ruma::api::client::backup::get_backup_info::v3::{Request, Response};

use super::{info, version};
use crate::{ApiError, ClientApi, Session};

/// Tells of a version.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let backup = api.e2ee.backup(call.principal.user, Some(version(&call.request.version)?)).await?;
    let (algorithm, count, etag, version) = info(&backup)?;
    Ok(Response::new(algorithm, count, etag, version))
}
