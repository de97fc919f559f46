//! Backups of room keys
//! (<https://spec.matrix.org/v1.19/client-server-api/#server-side-key-backups>).

mod add_backup_keys;
mod add_backup_keys_for_room;
mod add_backup_keys_for_session;
mod create_backup_version;
mod delete_backup_keys;
mod delete_backup_keys_for_room;
mod delete_backup_keys_for_session;
mod delete_backup_version;
mod get_backup_info;
mod get_backup_keys;
mod get_backup_keys_for_room;
mod get_backup_keys_for_session;
mod get_latest_backup_info;
mod update_backup_version;

use parvis_e2ee::{BackedUpKey, KeyBackup, StoredKeys};
use parvis_wire::{Endpoint, Endpoints, MatrixError};
use ruma::{
    RoomId, UInt,
    api::client::backup::{BackupAlgorithm, KeyBackupData},
    serde::Raw,
};
use serde::{Deserialize, Serialize};
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};

use crate::ClientApi;

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::typed(add_backup_keys::handle))
        .with(Endpoint::typed(add_backup_keys_for_room::handle))
        .with(Endpoint::typed(add_backup_keys_for_session::handle))
        .with(Endpoint::typed(create_backup_version::handle))
        .with(Endpoint::typed(delete_backup_keys::handle))
        .with(Endpoint::typed(delete_backup_keys_for_room::handle))
        .with(Endpoint::typed(delete_backup_keys_for_session::handle))
        .with(Endpoint::typed(delete_backup_version::handle))
        .with(Endpoint::typed(get_backup_info::handle))
        .with(Endpoint::typed(get_backup_keys::handle))
        .with(Endpoint::typed(get_backup_keys_for_room::handle))
        .with(Endpoint::typed(get_backup_keys_for_session::handle))
        .with(Endpoint::typed(get_latest_backup_info::handle))
        .with(Endpoint::typed(update_backup_version::handle))
}

/// The number of a version. What is no number is no version that was ever made.
fn version(text: &str) -> Result<i64, MatrixError> {
    text.parse().map_err(|_| MatrixError::not_found("there is no such backup"))
}

/// How a version encrypts its keys, as clients write it.
#[derive(Deserialize, Serialize)]
struct Algorithm {
    algorithm: String,
    auth_data: Map<String, Value>,
}

impl Algorithm {
    fn read(json: &Raw<BackupAlgorithm>) -> Result<Self, MatrixError> {
        serde_json::from_str(json.json().get()).map_err(|error| MatrixError::bad_json(error.to_string()))
    }

    fn auth_data(&self) -> Result<String, MatrixError> {
        serde_json::to_string(&self.auth_data).map_err(MatrixError::internal)
    }
}

/// What clients are told of a version: how it encrypts, how many keys there are, the etag, and the number.
fn info(backup: &KeyBackup) -> Result<(Raw<BackupAlgorithm>, UInt, String, String), MatrixError> {
    let auth_data = serde_json::from_str(&backup.auth_data).map_err(MatrixError::internal)?;
    let algorithm = Algorithm { algorithm: backup.algorithm.clone(), auth_data };
    let algorithm = to_raw_value(&algorithm).map_err(MatrixError::internal)?;
    let (etag, count) = stored(StoredKeys::from(backup));
    Ok((Raw::from_json(algorithm), count, etag, backup.version.to_string()))
}

/// How a version stands: the etag and the number of keys.
fn stored(keys: StoredKeys) -> (String, UInt) {
    (keys.etag.to_string(), UInt::try_from(keys.count).unwrap_or_default())
}

/// A key in a backup, as clients write it.
#[derive(Deserialize, Serialize)]
struct KeyData {
    first_message_index: UInt,
    forwarded_count: UInt,
    is_verified: bool,
    session_data: Box<RawValue>,
}

/// Reads a key of a session.
fn read_key(
    room_id: &RoomId,
    session_id: &str,
    json: &Raw<KeyBackupData>,
) -> Result<BackedUpKey, MatrixError> {
    let data: KeyData =
        serde_json::from_str(json.json().get()).map_err(|error| MatrixError::bad_json(error.to_string()))?;
    if !data.session_data.get().starts_with('{') {
        return Err(MatrixError::bad_json("`session_data` is no object"));
    }
    Ok(BackedUpKey {
        room_id: room_id.to_owned(),
        session_id: session_id.to_owned(),
        first_message_index: data.first_message_index.into(),
        forwarded_count: data.forwarded_count.into(),
        is_verified: data.is_verified,
        session_data: data.session_data.get().to_owned(),
    })
}

/// Writes a key.
fn write_key(key: &BackedUpKey) -> Result<Raw<KeyBackupData>, MatrixError> {
    let data = KeyData {
        first_message_index: UInt::try_from(key.first_message_index).unwrap_or_default(),
        forwarded_count: UInt::try_from(key.forwarded_count).unwrap_or_default(),
        is_verified: key.is_verified,
        session_data: RawValue::from_string(key.session_data.clone()).map_err(MatrixError::internal)?,
    };
    Ok(Raw::from_json(to_raw_value(&data).map_err(MatrixError::internal)?))
}
