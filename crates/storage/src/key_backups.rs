//! Backups of room keys: versions, and the keys in them, which only clients can read.
//!
//! Which of two keys is the better one is not known here.

use ruma::OwnedRoomId;

use crate::{
    UserSn,
    error::StorageError,
    statement::statements,
    store::Store,
    value::{Row, Value},
    write_set::WriteSet,
};

macro_rules! select_backup {
    ($rest:literal) => {
        concat!(
            "SELECT version, algorithm, auth_data, etag, key_count, deleted FROM key_backups WHERE ",
            $rest
        )
    };
}

macro_rules! select_keys {
    ($rest:literal) => {
        concat!(
            "SELECT room_id, session_id, first_message_index, forwarded_count, is_verified, session_data
             FROM backed_up_keys WHERE user_sn = $1 AND version = $2",
            $rest
        )
    };
}

statements! {
    KEY_BACKUP = select_backup!("user_sn = $1 AND version = $2");
    NEWEST_KEY_BACKUP = select_backup!("user_sn = $1 AND deleted = FALSE ORDER BY version DESC LIMIT 1");
    LAST_KEY_BACKUP = select_backup!("user_sn = $1 ORDER BY version DESC LIMIT 1");
    KEY_BACKUP_IS = "SELECT 1 FROM key_backups
        WHERE user_sn = $1 AND version = $2 AND etag = $3 AND deleted = FALSE";
    KEY_BACKUP_EXISTS = "SELECT 1 FROM key_backups WHERE user_sn = $1 AND version >= $2";
    PUT_KEY_BACKUP(rows of 7, key 2) =
        "INSERT INTO key_backups (user_sn, version, algorithm, auth_data, etag, key_count, deleted) VALUES {rows}
         ON CONFLICT (user_sn, version) DO UPDATE SET auth_data = excluded.auth_data, etag = excluded.etag,
             key_count = excluded.key_count, deleted = excluded.deleted";
    DELETE_KEYS_OF_BACKUP = "DELETE FROM backed_up_keys WHERE user_sn = $1 AND version = $2";
    DELETE_KEY_BACKUPS_OF_USER = "DELETE FROM key_backups WHERE user_sn = $1";
    DELETE_BACKED_UP_KEYS_OF_USER = "DELETE FROM backed_up_keys WHERE user_sn = $1";
    DELETE_KEYS_OF_ROOM = "DELETE FROM backed_up_keys WHERE user_sn = $1 AND version = $2 AND room_id = $3";
    DELETE_BACKED_UP_KEY =
        "DELETE FROM backed_up_keys WHERE user_sn = $1 AND version = $2 AND room_id = $3 AND session_id = $4";
    BACKED_UP_KEYS = select_keys!(" ORDER BY room_id, session_id");
    BACKED_UP_KEYS_OF_ROOM = select_keys!(" AND room_id = $3 ORDER BY session_id");
    BACKED_UP_KEY = select_keys!(" AND room_id = $3 AND session_id = $4");
    BACKED_UP_SESSIONS(list after 2) = select_keys!(" AND session_id IN ({list})");
    PUT_BACKED_UP_KEY(rows of 8, key 4) =
        "INSERT INTO backed_up_keys (user_sn, version, room_id, session_id, first_message_index, forwarded_count,
             is_verified, session_data) VALUES {rows}
         ON CONFLICT (user_sn, version, room_id, session_id) DO UPDATE
             SET first_message_index = excluded.first_message_index, forwarded_count = excluded.forwarded_count,
             is_verified = excluded.is_verified, session_data = excluded.session_data";
}

/// The guard of [`WriteSet::change_key_backup`]: somebody else has changed the backup.
pub const KEY_BACKUP_IS_UNCHANGED: &str = "key_backup_is_unchanged";
/// The guard of [`WriteSet::add_key_backup`]: somebody else has made this version.
pub const KEY_BACKUP_IS_NEW: &str = "key_backup_is_new";

/// A version of a user's backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyBackup {
    /// Its number among the user's versions.
    pub version: i64,
    /// How the keys are encrypted.
    pub algorithm: String,
    /// What clients need to know for that, a JSON object.
    pub auth_data: String,
    /// Counts the changes of the keys.
    pub etag: i64,
    /// How many keys there are.
    pub key_count: i64,
    /// Whether the user has thrown it away.
    pub deleted: bool,
}

/// A room key in a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackedUpKey {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The session of the encryption in the room.
    pub session_id: String,
    /// From which message on the key can decrypt.
    pub first_message_index: i64,
    /// How often it was passed on.
    pub forwarded_count: i64,
    /// Whether the device that backed it up had verified where it came from.
    pub is_verified: bool,
    /// The key, encrypted: a JSON object.
    pub session_data: String,
}

/// Which keys of a backup are meant.
#[derive(Clone, Copy, Debug)]
pub enum KeysMeant<'a> {
    /// All of them.
    All,
    /// Those of a room.
    Room(&'a ruma::RoomId),
    /// One.
    Session(&'a ruma::RoomId, &'a str),
}

impl KeysMeant<'_> {
    fn values(self, user: UserSn, version: i64) -> Vec<Value> {
        let mut values = vec![user.into(), version.into()];
        match self {
            Self::All => {}
            Self::Room(room_id) => values.push(room_id.as_str().into()),
            Self::Session(room_id, session_id) => {
                values.push(room_id.as_str().into());
                values.push(session_id.into());
            }
        }
        values
    }
}

impl WriteSet {
    /// Makes a version, and demands that it is the user's newest. See [`KEY_BACKUP_IS_NEW`].
    pub fn add_key_backup(&mut self, user: UserSn, backup: &KeyBackup) {
        let values = vec![user.into(), backup.version.into()];
        self.demand_absent(KEY_BACKUP_IS_NEW, &KEY_BACKUP_EXISTS, values);
        self.put_key_backup(user, backup);
    }

    /// Changes what is said of a version, and demands that it is there and has had this etag until now. See
    /// [`KEY_BACKUP_IS_UNCHANGED`].
    pub fn change_key_backup(&mut self, user: UserSn, etag_before: i64, backup: &KeyBackup) {
        let values = vec![user.into(), backup.version.into(), etag_before.into()];
        self.demand_present(KEY_BACKUP_IS_UNCHANGED, &KEY_BACKUP_IS, values);
        self.put_key_backup(user, backup);
    }

    fn put_key_backup(&mut self, user: UserSn, backup: &KeyBackup) {
        let row = vec![
            user.into(),
            backup.version.into(),
            backup.algorithm.as_str().into(),
            backup.auth_data.as_str().into(),
            backup.etag.into(),
            backup.key_count.into(),
            backup.deleted.into(),
        ];
        self.write(&PUT_KEY_BACKUP, row);
    }

    /// Keeps a key, in place of the one that was there.
    pub fn put_backed_up_key(&mut self, user: UserSn, version: i64, key: &BackedUpKey) {
        let row = vec![
            user.into(),
            version.into(),
            key.room_id.as_str().into(),
            key.session_id.as_str().into(),
            key.first_message_index.into(),
            key.forwarded_count.into(),
            key.is_verified.into(),
            key.session_data.as_str().into(),
        ];
        self.write(&PUT_BACKED_UP_KEY, row);
    }

    /// Throws all of a user's backups away: of one who never comes back.
    pub fn delete_key_backups(&mut self, user: UserSn) {
        self.write(&DELETE_KEY_BACKUPS_OF_USER, vec![user.into()]);
        self.write(&DELETE_BACKED_UP_KEYS_OF_USER, vec![user.into()]);
    }

    /// Throws keys away.
    pub fn delete_backed_up_keys(&mut self, user: UserSn, version: i64, meant: KeysMeant<'_>) {
        let statement = match meant {
            KeysMeant::All => &DELETE_KEYS_OF_BACKUP,
            KeysMeant::Room(_) => &DELETE_KEYS_OF_ROOM,
            KeysMeant::Session(..) => &DELETE_BACKED_UP_KEY,
        };
        self.write(statement, meant.values(user, version));
    }
}

impl Store {
    /// A version, also one that is deleted.
    pub async fn key_backup(&self, user: UserSn, version: i64) -> Result<Option<KeyBackup>, StorageError> {
        let row = self.engine.fetch_one(&KEY_BACKUP, vec![user.into(), version.into()]).await?;
        row.as_ref().map(backup_from).transpose()
    }

    /// The newest version that is not deleted.
    pub async fn newest_key_backup(&self, user: UserSn) -> Result<Option<KeyBackup>, StorageError> {
        let row = self.engine.fetch_one(&NEWEST_KEY_BACKUP, vec![user.into()]).await?;
        row.as_ref().map(backup_from).transpose()
    }

    /// The version with the highest number that was ever given, deleted or not.
    pub async fn last_key_backup(&self, user: UserSn) -> Result<Option<KeyBackup>, StorageError> {
        let row = self.engine.fetch_one(&LAST_KEY_BACKUP, vec![user.into()]).await?;
        row.as_ref().map(backup_from).transpose()
    }

    /// Keys of a version, by room and session.
    pub async fn backed_up_keys(
        &self,
        user: UserSn,
        version: i64,
        meant: KeysMeant<'_>,
    ) -> Result<Vec<BackedUpKey>, StorageError> {
        let statement = match meant {
            KeysMeant::All => &BACKED_UP_KEYS,
            KeysMeant::Room(_) => &BACKED_UP_KEYS_OF_ROOM,
            KeysMeant::Session(..) => &BACKED_UP_KEY,
        };
        let rows = self.engine.fetch(statement, meant.values(user, version)).await?;
        rows.iter().map(key_from).collect()
    }

    /// The keys of a version that have one of these session ids, in whatever room.
    pub async fn backed_up_sessions(
        &self,
        user: UserSn,
        version: i64,
        session_ids: &[&str],
    ) -> Result<Vec<BackedUpKey>, StorageError> {
        let fixed = vec![user.into(), version.into()];
        let rows = self.engine.fetch_list(&BACKED_UP_SESSIONS, fixed, session_ids.iter().copied()).await?;
        rows.iter().map(key_from).collect()
    }
}

fn backup_from(row: &Row) -> Result<KeyBackup, StorageError> {
    Ok(KeyBackup {
        version: row.int(0)?,
        algorithm: row.text(1)?,
        auth_data: row.text(2)?,
        etag: row.int(3)?,
        key_count: row.int(4)?,
        deleted: row.bool(5)?,
    })
}

fn key_from(row: &Row) -> Result<BackedUpKey, StorageError> {
    let room_id = OwnedRoomId::try_from(row.text(0)?);
    Ok(BackedUpKey {
        room_id: room_id.map_err(|_| StorageError::Corrupt("the room of a key".to_owned()))?,
        session_id: row.text(1)?,
        first_message_index: row.int(2)?,
        forwarded_count: row.int(3)?,
        is_verified: row.bool(4)?,
        session_data: row.text(5)?,
    })
}
