//! A user's devices, as the user sees them.

use parvis_storage::{Device, StorageError, UserSn, WriteSet};
use ruma::{DeviceId, OwnedDeviceId};

use crate::accounts::{Accounts, plain};

/// The longest name that people give a device, in characters.
const LONGEST_DISPLAY_NAME: usize = 100;

/// Why a device is not changed.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The user has no such device.
    #[error("there is no such device")]
    NotFound,
    /// The new name is too long.
    #[error("a device's name has {LONGEST_DISPLAY_NAME} characters at most")]
    NameTooLong,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// A user's devices, the oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn devices(&self, user: UserSn) -> Result<Vec<Device>, StorageError> {
        self.store.devices(user).await
    }

    /// One of a user's devices.
    ///
    /// # Errors
    /// [`DeviceError::NotFound`], or if the store fails.
    pub async fn device(&self, user: UserSn, device_id: &DeviceId) -> Result<Device, DeviceError> {
        self.store.device(user, device_id).await?.ok_or(DeviceError::NotFound)
    }

    /// Gives a device another name for people.
    ///
    /// # Errors
    /// Any [`DeviceError`].
    pub async fn rename_device(
        &self,
        user: UserSn,
        device_id: &DeviceId,
        display_name: Option<&str>,
    ) -> Result<(), DeviceError> {
        if display_name.is_some_and(|name| name.chars().count() > LONGEST_DISPLAY_NAME) {
            return Err(DeviceError::NameTooLong);
        }
        let device = self.device(user, device_id).await?;
        let mut set = WriteSet::new();
        set.rename_device(user, device.device, display_name);
        self.store.commit(set).await.map_err(plain)?;
        Ok(())
    }

    /// Takes devices away and ends their sessions. Those which the user does not have are passed over.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn delete_devices(
        &self,
        user: UserSn,
        device_ids: &[OwnedDeviceId],
    ) -> Result<(), StorageError> {
        self.delete_devices_where(user, |device| device_ids.contains(&device.device_id)).await
    }

    /// Takes away those of a user's devices for which `gone` holds.
    pub(crate) async fn delete_devices_where(
        &self,
        user: UserSn,
        gone: impl Fn(&Device) -> bool,
    ) -> Result<(), StorageError> {
        let mut devices = self.store.devices(user).await?;
        devices.retain(gone);
        let mut set = WriteSet::new();
        for device in &devices {
            set.delete_device(user, device.device);
        }
        let device_ids: Vec<_> = devices.iter().map(|device| device.device_id.clone()).collect();
        self.delete_settings_of_devices(&mut set, user, &device_ids).await?;
        self.store.commit(set).await.map_err(plain)?;
        self.sessions.forget(|session| devices.iter().any(|device| device.device == session.device));
        Ok(())
    }
}
