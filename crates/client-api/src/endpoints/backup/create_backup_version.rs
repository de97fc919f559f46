//! `POST /_matrix/client/v3/room_keys/version`
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3room_keysversion>).

use parvis_e2ee::NewBackup;
use parvis_wire::Call;
use ruma::api::client::backup::create_backup_version::v3::{Request, Response};

use super::Algorithm;
use crate::{ApiError, ClientApi, Session};

/// Makes a new version, which is the newest from now on.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let new = Algorithm::read(&call.request.algorithm)?;
    let new = NewBackup { algorithm: &new.algorithm, auth_data: &new.auth_data()? };
    let version = api.e2ee.create_backup(call.principal.user, new).await?;
    Ok(Response::new(version.to_string()))
}
