//! `PUT /_matrix/client/v3/room_keys/version/{version}`
//! (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keysversionversion>).

use parvis_e2ee::NewBackup;
use parvis_wire::{Call, MatrixError, parse_json};
use ruma::api::client::backup::update_backup_version::v3::{Request, Response};
use serde::Deserialize;

use super::{Algorithm, version};
use crate::{ApiError, ClientApi, Session};

/// What older clients say beside: the version once more.
#[derive(Deserialize)]
struct Named {
    version: Option<String>,
}

/// Changes what clients need to know of a version.
pub(super) async fn handle(api: ClientApi, call: Call<Request, Session>) -> Result<Response, ApiError> {
    let Request { version: number, algorithm, .. } = &call.request;
    let named: Named = parse_json(&call.body)?;
    if named.version.is_some_and(|named| named != *number) {
        return Err(MatrixError::invalid_param("the body names another version than the path").into());
    }
    let new = Algorithm::read(algorithm)?;
    let new = NewBackup { algorithm: &new.algorithm, auth_data: &new.auth_data()? };
    api.e2ee.update_backup(call.principal.user, version(number)?, new).await?;
    Ok(Response::new())
}
