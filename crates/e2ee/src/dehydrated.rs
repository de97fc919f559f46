//! Devices that users lay by: each takes messages while no other device of its user does, until one wakes it
//! (<https://github.com/matrix-org/matrix-spec-proposals/pull/3814>).
//!
//! Such a device is one like any other, without a session: others see its keys and send to it. Its messages are
//! shown as often as they are asked for, and go with it.

use parvis_storage::{
    CommitError, DEVICE_IS_NEW, DEVICE_IS_THERE, DehydratedDevice, DeviceSn, Position, StorageError, WriteSet,
};
use ruma::{DeviceId, OwnedDeviceId};
use serde_json::value::RawValue;

use crate::{
    engine::{Caller, E2ee},
    error::plain,
    key_object::InvalidKey,
    upload::{KeyUpload, ReadKeys, UploadError},
};

/// The longest that is kept of what wakes a device, in bytes.
const LARGEST_DATA: usize = 64 << 10;
/// The longest name of a device, in bytes.
const LONGEST_NAME: usize = 255;
/// How many messages are shown at a time.
const MOST_MESSAGES: usize = 100;

/// A device that a user lays by.
#[derive(Clone, Debug)]
pub struct NewDehydratedDevice<'a> {
    /// Its name among the user's devices.
    pub device_id: &'a DeviceId,
    /// What people call it.
    pub display_name: Option<&'a str>,
    /// What its owner needs to wake it.
    pub device_data: &'a RawValue,
    /// Its keys, identity keys among them.
    pub keys: KeyUpload<'a>,
}

/// The device that a user has laid by.
#[derive(Clone, Debug)]
pub struct LaidBy {
    /// Its name among the user's devices.
    pub device_id: OwnedDeviceId,
    /// What its owner needs to wake it.
    pub device_data: Box<RawValue>,
}

/// Messages to a device that is laid by.
#[derive(Clone, Debug)]
pub struct MessagesLaidBy {
    /// The messages, oldest first.
    pub events: Vec<String>,
    /// Behind which the next ones come.
    pub next: Position,
}

/// Why a device is not laid by, or not found.
#[derive(Debug, thiserror::Error)]
pub enum DehydratedError {
    /// The user has laid by none.
    #[error("you have no dehydrated device")]
    None,
    /// The user has laid by another one.
    #[error("this is not your dehydrated device")]
    Other,
    /// There are no identity keys.
    #[error("a dehydrated device needs its device keys")]
    WithoutKeys,
    /// What wakes it is too long.
    #[error("the data of a dehydrated device has {LARGEST_DATA} bytes at most")]
    TooLarge,
    /// It has no name, or too long a one.
    #[error("the name of a device has {LONGEST_NAME} bytes at most")]
    BadName,
    /// The user has a device of this name that is in use.
    #[error("you have another device of this name")]
    Taken,
    /// A key is not kept.
    #[error(transparent)]
    Keys(#[from] UploadError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<InvalidKey> for DehydratedError {
    fn from(error: InvalidKey) -> Self {
        Self::Keys(error.into())
    }
}

impl E2ee {
    /// Lays by a device in place of the one that was before, which goes with all its keys and messages. The same
    /// device once more stays as it is, with the new keys and data.
    ///
    /// # Errors
    /// Any [`DehydratedError`]; nothing has changed then.
    pub async fn lay_by(
        &self,
        caller: &Caller,
        new: &NewDehydratedDevice<'_>,
    ) -> Result<(), DehydratedError> {
        if new.keys.device_keys.is_none() {
            return Err(DehydratedError::WithoutKeys);
        }
        if new.device_data.get().len() > LARGEST_DATA {
            return Err(DehydratedError::TooLarge);
        }
        if !(1..=LONGEST_NAME).contains(&new.device_id.as_str().len()) {
            return Err(DehydratedError::BadName);
        }
        let _turn = self.turn(caller.user.0).await;
        let before = self.store.dehydrated_device(caller.user).await?;
        let mut set = WriteSet::new();
        let same = before.as_ref().filter(|before| before.device_id == new.device_id);
        let device = match same {
            Some(same) => {
                set.demand_device(same.device);
                same.device
            }
            None => {
                let device = DeviceSn(self.store.next_number().await?);
                if let Some(before) = &before {
                    set.delete_device(caller.user, before.device);
                }
                let (name, now) = (new.display_name, self.now().millis());
                set.add_device(caller.user, device, new.device_id, name, now);
                device
            }
        };
        let device = Caller { device, device_id: new.device_id.to_owned(), ..caller.clone() };
        let keys = ReadKeys::read(&device, &new.keys)?;
        self.put_keys(&mut set, &device, &keys).await?;
        set.put_dehydrated_device(caller.user, device.device, new.device_data.get());
        self.store.commit(set).await.map(drop).map_err(|error| match error {
            CommitError::Guard(DEVICE_IS_NEW) => DehydratedError::Taken,
            CommitError::Guard(DEVICE_IS_THERE) => DehydratedError::None,
            error => plain(error).into(),
        })
    }

    async fn laid_by_of(&self, caller: &Caller) -> Result<DehydratedDevice, DehydratedError> {
        self.store.dehydrated_device(caller.user).await?.ok_or(DehydratedError::None)
    }

    /// The device that a user has laid by.
    ///
    /// # Errors
    /// [`DehydratedError::None`], or if the store fails.
    pub async fn laid_by(&self, caller: &Caller) -> Result<LaidBy, DehydratedError> {
        let found = self.laid_by_of(caller).await?;
        let device_data = RawValue::from_string(found.device_data)
            .map_err(|_| StorageError::Corrupt("a dehydrated device".to_owned()))?;
        Ok(LaidBy { device_id: found.device_id, device_data })
    }

    /// Takes away the device that a user has laid by; gives its name.
    ///
    /// # Errors
    /// [`DehydratedError::None`], or if the store fails.
    pub async fn take_away_laid_by(&self, caller: &Caller) -> Result<OwnedDeviceId, DehydratedError> {
        let _turn = self.turn(caller.user.0).await;
        let found = self.laid_by_of(caller).await?;
        let mut set = WriteSet::new();
        set.delete_device(caller.user, found.device);
        self.store.commit(set).await.map_err(plain)?;
        Ok(found.device_id)
    }

    /// The messages to the device that a user has laid by, behind a place. They stay.
    ///
    /// # Errors
    /// [`DehydratedError::None`], [`DehydratedError::Other`], or if the store fails.
    pub async fn messages_laid_by(
        &self,
        caller: &Caller,
        device_id: &DeviceId,
        after: Position,
    ) -> Result<MessagesLaidBy, DehydratedError> {
        let found = self.laid_by_of(caller).await?;
        if found.device_id != device_id {
            return Err(DehydratedError::Other);
        }
        let until = self.store.head();
        let messages = self.store.to_device(found.device, after, until, MOST_MESSAGES).await?;
        let next = messages.last().map_or(after, |(position, _)| *position);
        Ok(MessagesLaidBy { events: messages.into_iter().map(|(_, message)| message).collect(), next })
    }
}
