//! Devices that users have laid by. Each is a device like any other, but for what is kept here: that it is one, and
//! what its owner needs to wake it. What wakes it is not known here.

use ruma::OwnedDeviceId;

use crate::{
    DeviceSn, UserSn, error::StorageError, statement::statements, store::Store, write_set::WriteSet,
};

statements! {
    DEHYDRATED_DEVICE =
        "SELECT h.device_sn, d.device_id, h.device_data FROM dehydrated_devices h
         JOIN devices d ON d.device_sn = h.device_sn WHERE h.user_sn = $1";
    PUT_DEHYDRATED_DEVICE(rows of 3, key 1) =
        "INSERT INTO dehydrated_devices (user_sn, device_sn, device_data) VALUES {rows}
         ON CONFLICT (user_sn) DO UPDATE SET device_sn = excluded.device_sn, device_data = excluded.device_data";
}

/// The device that a user has laid by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DehydratedDevice {
    /// The device.
    pub device: DeviceSn,
    /// Its name among the user's devices.
    pub device_id: OwnedDeviceId,
    /// What its owner needs to wake it, a JSON object.
    pub device_data: String,
}

impl WriteSet {
    /// Notes that a device is laid by, in place of the one that was before.
    pub fn put_dehydrated_device(&mut self, user: UserSn, device: DeviceSn, device_data: &str) {
        self.write(&PUT_DEHYDRATED_DEVICE, vec![user.into(), device.into(), device_data.into()]);
    }
}

impl Store {
    /// The device that a user has laid by.
    pub async fn dehydrated_device(&self, user: UserSn) -> Result<Option<DehydratedDevice>, StorageError> {
        let row = self.engine.fetch_one(&DEHYDRATED_DEVICE, vec![user.into()]).await?;
        let device = |row: crate::value::Row| {
            Ok(DehydratedDevice {
                device: DeviceSn(row.int(0)?),
                device_id: row.text(1)?.into(),
                device_data: row.text(2)?,
            })
        };
        row.map(device).transpose()
    }
}
