//! Backups of room keys
//! (<https://spec.matrix.org/v1.19/client-server-api/#server-side-key-backups>).
//!
//! A user has versions, of which the newest takes keys. Of two keys for the same session the better one stays.

use std::collections::HashMap;

use parvis_storage::{
    BackedUpKey, CommitError, KEY_BACKUP_IS_NEW, KEY_BACKUP_IS_UNCHANGED, KeyBackup, KeysMeant, StorageError,
    UserSn, WriteSet,
};
use ruma::OwnedRoomId;

use crate::{engine::E2ee, error::plain};

/// How often a change is tried where others change the same backup.
const TRIES: usize = 16;

/// Why a backup is not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no such version, or none at all.
    #[error("there is no such backup")]
    NotFound,
    /// There is no such key.
    #[error("there is no such key in the backup")]
    NoKey,
    /// Keys are kept in the newest version only.
    #[error("keys are kept in the newest version only, which is {current}")]
    WrongVersion {
        /// The newest version.
        current: i64,
    },
    /// A version keeps its algorithm.
    #[error("a version keeps its algorithm")]
    OtherAlgorithm,
    /// Others change the backup all the time.
    #[error("others change the backup all the time")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// How a new version encrypts its keys.
#[derive(Clone, Copy, Debug)]
pub struct NewBackup<'a> {
    /// The algorithm.
    pub algorithm: &'a str,
    /// What clients need to know for it, a JSON object.
    pub auth_data: &'a str,
}

/// Keys to be kept.
pub type RoomKeys = Vec<BackedUpKey>;

/// How a version stands after a change of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredKeys {
    /// Changes with the keys.
    pub etag: i64,
    /// How many keys there are.
    pub count: i64,
}

impl From<&KeyBackup> for StoredKeys {
    fn from(backup: &KeyBackup) -> Self {
        Self { etag: backup.etag, count: backup.key_count }
    }
}

/// What becomes of a version.
#[derive(Clone, Copy)]
enum BackupChange<'a> {
    /// Clients need to know something else of it.
    Describe(NewBackup<'a>),
    /// It is thrown away.
    Delete,
    /// These keys are kept, where they are better.
    Put(&'a RoomKeys),
    /// Keys are thrown away.
    DeleteKeys(KeysMeant<'a>),
}

/// Whether a key is to take the place of one that is there.
fn is_better(new: &BackedUpKey, old: &BackedUpKey) -> bool {
    let rank = |key: &BackedUpKey| (!key.is_verified, key.first_message_index, key.forwarded_count);
    rank(new) < rank(old)
}

impl E2ee {
    /// Makes a new version, which is the newest from now on; gives its number.
    ///
    /// # Errors
    /// Any [`BackupError`].
    pub async fn create_backup(&self, user: UserSn, new: NewBackup<'_>) -> Result<i64, BackupError> {
        for _ in 0..TRIES {
            let last = self.store.last_key_backup(user).await?;
            let version = last.map_or(1, |last| last.version + 1);
            let mut set = WriteSet::new();
            set.add_key_backup(
                user,
                &KeyBackup {
                    version,
                    algorithm: new.algorithm.to_owned(),
                    auth_data: new.auth_data.to_owned(),
                    etag: 0,
                    key_count: 0,
                    deleted: false,
                },
            );
            match self.store.commit(set).await {
                Ok(_) => return Ok(version),
                Err(CommitError::Guard(KEY_BACKUP_IS_NEW)) => {}
                Err(error) => return Err(plain(error).into()),
            }
        }
        Err(BackupError::Busy)
    }

    /// A version; without a number, the newest.
    ///
    /// # Errors
    /// Any [`BackupError`].
    pub async fn backup(&self, user: UserSn, version: Option<i64>) -> Result<KeyBackup, BackupError> {
        let found = match version {
            Some(version) => self.store.key_backup(user, version).await?,
            None => self.store.newest_key_backup(user).await?,
        };
        found.filter(|backup| !backup.deleted).ok_or(BackupError::NotFound)
    }

    /// Changes what clients need to know of a version.
    ///
    /// # Errors
    /// Any [`BackupError`].
    pub async fn update_backup(
        &self,
        user: UserSn,
        version: i64,
        new: NewBackup<'_>,
    ) -> Result<(), BackupError> {
        self.change(user, version, BackupChange::Describe(new)).await.map(drop)
    }

    /// Throws a version away with all its keys. One that is gone already is passed over.
    ///
    /// # Errors
    /// [`BackupError::NotFound`] if there never was one, or if the store fails.
    pub async fn delete_backup(&self, user: UserSn, version: i64) -> Result<(), BackupError> {
        let known = self.store.key_backup(user, version).await?.ok_or(BackupError::NotFound)?;
        if known.deleted {
            return Ok(());
        }
        self.change(user, version, BackupChange::Delete).await.map(drop)
    }

    /// Keeps keys in the newest version, where they are better than those that are there.
    ///
    /// # Errors
    /// Any [`BackupError`].
    pub async fn put_room_keys(
        &self,
        user: UserSn,
        version: i64,
        keys: &RoomKeys,
    ) -> Result<StoredKeys, BackupError> {
        let newest = self.backup(user, None).await?;
        if newest.version != version {
            return Err(BackupError::WrongVersion { current: newest.version });
        }
        self.change(user, version, BackupChange::Put(keys)).await
    }

    /// Keys of a version. One that is asked for by its session must be there.
    ///
    /// # Errors
    /// Any [`BackupError`].
    pub async fn room_keys(
        &self,
        user: UserSn,
        version: i64,
        meant: KeysMeant<'_>,
    ) -> Result<Vec<BackedUpKey>, BackupError> {
        self.backup(user, Some(version)).await?;
        let keys = self.store.backed_up_keys(user, version, meant).await?;
        if keys.is_empty() && matches!(meant, KeysMeant::Session(..)) {
            return Err(BackupError::NoKey);
        }
        Ok(keys)
    }

    /// Throws keys of a version away.
    ///
    /// # Errors
    /// Any [`BackupError`].
    pub async fn delete_room_keys(
        &self,
        user: UserSn,
        version: i64,
        meant: KeysMeant<'_>,
    ) -> Result<StoredKeys, BackupError> {
        self.change(user, version, BackupChange::DeleteKeys(meant)).await
    }

    /// Changes a version. Decides again if somebody else was quicker.
    async fn change(
        &self,
        user: UserSn,
        version: i64,
        change: BackupChange<'_>,
    ) -> Result<StoredKeys, BackupError> {
        let _turn = self.turn(user.0).await;
        for _ in 0..TRIES {
            let mut backup = self.backup(user, Some(version)).await?;
            let etag_before = backup.etag;
            let mut set = WriteSet::new();
            if !self.decide(user, change, &mut backup, &mut set).await? {
                return Ok(StoredKeys::from(&backup));
            }
            set.change_key_backup(user, etag_before, &backup);
            match self.store.commit(set).await {
                Ok(_) => return Ok(StoredKeys::from(&backup)),
                Err(CommitError::Guard(KEY_BACKUP_IS_UNCHANGED)) => {}
                Err(error) => return Err(plain(error).into()),
            }
        }
        Err(BackupError::Busy)
    }

    /// Says whether there is anything to change.
    async fn decide(
        &self,
        user: UserSn,
        change: BackupChange<'_>,
        backup: &mut KeyBackup,
        set: &mut WriteSet,
    ) -> Result<bool, BackupError> {
        match change {
            BackupChange::Describe(new) if new.algorithm != backup.algorithm => {
                Err(BackupError::OtherAlgorithm)
            }
            BackupChange::Describe(new) => {
                new.auth_data.clone_into(&mut backup.auth_data);
                Ok(true)
            }
            BackupChange::Delete => {
                set.delete_backed_up_keys(user, backup.version, KeysMeant::All);
                (backup.deleted, backup.key_count) = (true, 0);
                Ok(true)
            }
            BackupChange::Put(keys) => self.add_better(user, keys, backup, set).await,
            BackupChange::DeleteKeys(meant) => {
                let gone = self.store.backed_up_keys(user, backup.version, meant).await?.len();
                if gone > 0 {
                    set.delete_backed_up_keys(user, backup.version, meant);
                    backup.key_count -= i64::try_from(gone).unwrap_or_default();
                    backup.etag += 1;
                }
                Ok(gone > 0)
            }
        }
    }

    async fn add_better(
        &self,
        user: UserSn,
        keys: &RoomKeys,
        backup: &mut KeyBackup,
        set: &mut WriteSet,
    ) -> Result<bool, BackupError> {
        let session_ids: Vec<&str> = keys.iter().map(|key| key.session_id.as_str()).collect();
        let known = self.store.backed_up_sessions(user, backup.version, &session_ids).await?;
        let mut known: HashMap<(OwnedRoomId, String), BackedUpKey> =
            known.into_iter().map(|key| ((key.room_id.clone(), key.session_id.clone()), key)).collect();
        let mut changed = false;
        for key in keys {
            let place = (key.room_id.clone(), key.session_id.clone());
            let before = known.get(&place);
            if before.is_some_and(|before| !is_better(key, before)) {
                continue;
            }
            backup.key_count += i64::from(before.is_none());
            set.put_backed_up_key(user, backup.version, key);
            known.insert(place, key.clone());
            changed = true;
        }
        backup.etag += i64::from(changed);
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use ruma::owned_room_id;

    use super::*;

    fn key(is_verified: bool, first_message_index: i64, forwarded_count: i64) -> BackedUpKey {
        BackedUpKey {
            room_id: owned_room_id!("!r:x"),
            session_id: "s".to_owned(),
            first_message_index,
            forwarded_count,
            is_verified,
            session_data: "{}".to_owned(),
        }
    }

    #[test]
    fn better_key_is_verified_or_reaches_further_back_or_came_more_directly() {
        let old = key(false, 10, 5);
        for better in [key(true, 11, 6), key(false, 9, 6), key(false, 10, 4)] {
            assert!(is_better(&better, &old) && !is_better(&old, &better), "{better:?}");
        }
        assert!(!is_better(&old, &old), "the same key once more changes nothing");
    }
}
