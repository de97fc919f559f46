//! Account data: what clients keep about the account and about rooms
//! (<https://spec.matrix.org/v1.19/client-server-api/#client-config>). Tags are such data too.

use std::collections::BTreeMap;

use parvis_storage::{
    ACCOUNT_DATA_IS_UNCHANGED, AccountData, CommitError, RoomSn, StorageError, UserSn, WriteSet,
};
use ruma::{OwnedDeviceId, RoomId};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::accounts::{Accounts, plain};

/// The type of the push rules, which have endpoints of their own.
pub(crate) const PUSH_RULES: &str = "m.push_rules";
/// The type of a room's tags.
const TAGS: &str = "m.tag";
/// The type of the read marker, which has an endpoint of its own.
const FULLY_READ: &str = "m.fully_read";
/// The largest tag name, in bytes.
const LONGEST_TAG: usize = 255;
/// The types of what clients keep for a device, up to the device's name.
const DEVICE_SETTINGS: [&str; 2] =
    ["m.local_notification_settings.", "org.matrix.msc3890.local_notification_settings."];
/// How often a change is tried again that others were quicker than.
const TRIES: usize = 16;

/// Why account data is not read or written.
#[derive(Debug, thiserror::Error)]
pub enum AccountDataError {
    /// The room is not known here.
    #[error("the room is not known here")]
    NoRoom,
    /// There is none of this type.
    #[error("there is no account data of this type")]
    NotFound,
    /// Data of this type has endpoints of its own.
    #[error("account data of this type is not set here")]
    NotHere,
    /// The tag's name is too long.
    #[error("a tag has {LONGEST_TAG} bytes at most")]
    TagTooLong,
    /// Others change the same data all the time.
    #[error("the account data is changed by others all the time")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A tag on a room: whatever the client keeps with it, such as its `order`.
pub type TagInfo = serde_json::Map<String, serde_json::Value>;

#[derive(Default, Serialize, Deserialize)]
struct Tags {
    #[serde(default)]
    tags: BTreeMap<String, TagInfo>,
}

impl Accounts {
    /// The room that a request for account data or tags means.
    ///
    /// # Errors
    /// [`AccountDataError::NoRoom`], or if the store fails.
    pub async fn room(&self, room_id: &RoomId) -> Result<RoomSn, AccountDataError> {
        self.store.room_sn(room_id).await?.ok_or(AccountDataError::NoRoom)
    }

    /// A piece of a user's account data, for a room or for the account.
    ///
    /// # Errors
    /// [`AccountDataError::NotFound`], or if the store fails.
    pub async fn account_data(
        &self,
        user: UserSn,
        room: Option<RoomSn>,
        kind: &str,
    ) -> Result<Box<RawValue>, AccountDataError> {
        let data = self.store.account_data(user, room, kind).await?.filter(|data| !data.is_deleted());
        Ok(data.ok_or(AccountDataError::NotFound)?.content.clone())
    }

    /// Sets a piece of a user's account data. An empty object deletes it, which clients that knew it are told
    /// (<https://github.com/matrix-org/matrix-spec-proposals/pull/3391>).
    ///
    /// # Errors
    /// [`AccountDataError::NotHere`] for push rules and read markers, or if the store fails.
    pub async fn set_account_data(
        &self,
        user: UserSn,
        room: Option<RoomSn>,
        kind: &str,
        content: &RawValue,
    ) -> Result<(), AccountDataError> {
        if kind == FULLY_READ || kind == PUSH_RULES {
            return Err(AccountDataError::NotHere);
        }
        let is_empty = serde_json::from_str(content.get()).is_ok_and(|object: TagInfo| object.is_empty());
        let deleted = is_empty.then(AccountData::deleted);
        let mut set = WriteSet::new();
        set.put_account_data(user, room, kind, deleted.as_deref().unwrap_or(content));
        self.store.commit(set).await.map_err(plain)?;
        Ok(())
    }

    /// Deletes a piece of a user's account data, if there is one.
    ///
    /// # Errors
    /// As for [`set_account_data`](Self::set_account_data).
    pub async fn delete_account_data(
        &self,
        user: UserSn,
        room: Option<RoomSn>,
        kind: &str,
    ) -> Result<(), AccountDataError> {
        match self.account_data(user, room, kind).await {
            Ok(_) => self.set_account_data(user, room, kind, &AccountData::deleted()).await,
            Err(AccountDataError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes what the user's clients keep for devices that are taken away.
    pub(crate) async fn delete_settings_of_devices(
        &self,
        set: &mut WriteSet,
        user: UserSn,
        device_ids: &[OwnedDeviceId],
    ) -> Result<(), StorageError> {
        for device_id in device_ids {
            for prefix in DEVICE_SETTINGS {
                let kind = format!("{prefix}{device_id}");
                if self.store.account_data(user, None, &kind).await?.is_some_and(|data| !data.is_deleted()) {
                    set.put_account_data(user, None, &kind, &AccountData::deleted());
                }
            }
        }
        Ok(())
    }

    /// The tags that a user has put on a room.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn tags(&self, user: UserSn, room: RoomSn) -> Result<BTreeMap<String, TagInfo>, StorageError> {
        let stored = self.store.account_data(user, Some(room), TAGS).await?;
        Ok(read_tags(stored.as_ref().map(|data| data.content.get())).tags)
    }

    /// Puts a tag on a room.
    ///
    /// # Errors
    /// Any [`AccountDataError`].
    pub async fn set_tag(
        &self,
        user: UserSn,
        room: RoomSn,
        tag: &str,
        info: TagInfo,
    ) -> Result<(), AccountDataError> {
        if tag.len() > LONGEST_TAG {
            return Err(AccountDataError::TagTooLong);
        }
        self.change_tags(user, room, |tags| {
            tags.insert(tag.to_owned(), info.clone());
        })
        .await
    }

    /// Takes a tag off a room. It does not matter whether it was there.
    ///
    /// # Errors
    /// Any [`AccountDataError`].
    pub async fn delete_tag(&self, user: UserSn, room: RoomSn, tag: &str) -> Result<(), AccountDataError> {
        self.change_tags(user, room, |tags| {
            tags.remove(tag);
        })
        .await
    }

    async fn change_tags(
        &self,
        user: UserSn,
        room: RoomSn,
        change: impl Fn(&mut BTreeMap<String, TagInfo>),
    ) -> Result<(), AccountDataError> {
        self.change_account_data(user, Some(room), TAGS, |stored| {
            let mut tags = read_tags(stored);
            change(&mut tags.tags);
            let content = to_raw_value(&tags).map_err(|_| StorageError::Corrupt("tags".to_owned()))?;
            Ok::<_, AccountDataError>(Some(content))
        })
        .await
    }

    /// Reads a piece of account data, changes it and writes it, unless others have changed it meanwhile: then
    /// again. `change` gives the new content, or `None` to leave everything as it is.
    pub(crate) async fn change_account_data<E: From<AccountDataError>>(
        &self,
        user: UserSn,
        room: Option<RoomSn>,
        kind: &str,
        change: impl Fn(Option<&str>) -> Result<Option<Box<RawValue>>, E>,
    ) -> Result<(), E> {
        for _ in 0..TRIES {
            let stored = self.store.account_data(user, room, kind).await.map_err(AccountDataError::from)?;
            let Some(content) = change(stored.as_ref().map(|data| data.content.get()))? else {
                return Ok(());
            };
            let mut set = WriteSet::new();
            set.demand_account_data(user, room, kind, stored.as_ref().map(|data| &*data.content));
            set.put_account_data(user, room, kind, &content);
            match self.store.commit(set).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Guard(ACCOUNT_DATA_IS_UNCHANGED)) => {}
                Err(error) => return Err(AccountDataError::from(plain(error)).into()),
            }
        }
        Err(AccountDataError::Busy.into())
    }
}

fn read_tags(stored: Option<&str>) -> Tags {
    stored.and_then(|stored| serde_json::from_str(stored).ok()).unwrap_or_default()
}
