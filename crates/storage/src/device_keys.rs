//! Identity keys of devices, here and on other servers, and what changed in the lists of devices.
//!
//! Knows nothing of signatures or of what makes a key good: it keeps texts. That a device changed is noted
//! where the device lives: here for keys, in `sessions` for devices that come, go or get another name.

use ruma::{DeviceId, OwnedDeviceId};

use crate::{
    DeviceSn, Position, RoomSn, UserSn,
    changes::{Change, GoneDevices},
    error::StorageError,
    statement::statements,
    store::Store,
    value::Row,
    write_set::{PendingChange, WriteSet},
};

macro_rules! select_device_keys {
    ($rest:literal) => {
        concat!(
            "SELECT k.user_sn, k.device_id, k.device_sn, COALESCE(d.display_name, k.display_name), k.keys
             FROM device_keys k LEFT JOIN devices d ON d.device_sn = k.device_sn ",
            $rest
        )
    };
}

statements! {
    DEVICE_KEYS(list after 0) = select_device_keys!("WHERE k.user_sn IN ({list}) ORDER BY k.user_sn, k.device_id");
    DEVICE_KEYS_OF = select_device_keys!("WHERE k.user_sn = $1 AND k.device_id = $2");
    PUT_DEVICE_KEYS(rows of 5, key 2) =
        "INSERT INTO device_keys (user_sn, device_id, device_sn, display_name, keys) VALUES {rows}
         ON CONFLICT (user_sn, device_id) DO UPDATE SET device_sn = excluded.device_sn,
             display_name = excluded.display_name, keys = excluded.keys";
    DELETE_DEVICE_KEYS = "DELETE FROM device_keys WHERE user_sn = $1 AND device_id = $2";
    DELETE_ALL_DEVICE_KEYS = "DELETE FROM device_keys WHERE user_sn = $1";
    DELETE_SIGNATURES_OF_DEVICE = "DELETE FROM key_signatures WHERE target_sn = $1 AND target = $2";
    PUT_DEVICE_CHANGE(rows of 3, key 2) =
        "INSERT INTO device_changes (user_sn, device_id, position) VALUES {rows}
         ON CONFLICT (user_sn, device_id) DO UPDATE SET position = excluded.position";
    DEVICES_CHANGED =
        "SELECT user_sn, device_id, position FROM device_changes WHERE position > $1 AND position <= $2
         ORDER BY position";
    ALL_MEMBERS_CHANGED =
        "SELECT room_sn, user_sn FROM members WHERE position > $1 AND position <= $2 ORDER BY position";
    MEMBERS_CHANGED(list after 2) =
        "SELECT room_sn, user_sn FROM members WHERE position > $1 AND position <= $2 AND room_sn IN ({list})";
}

/// The number that stands for every device of another server.
const ELSEWHERE: DeviceSn = DeviceSn(0);

/// A device with its identity keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceKeys {
    /// Whose.
    pub user: UserSn,
    /// Its name among the user's devices.
    pub device_id: OwnedDeviceId,
    /// The device; `None` for one of another server.
    pub device: Option<DeviceSn>,
    /// What people call it.
    pub display_name: Option<String>,
    /// The keys as they were uploaded, a JSON object.
    pub keys: String,
}

/// A change in somebody's list of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceChange {
    /// Whose list.
    pub user: UserSn,
    /// Which device; `None` for the keys for cross-signing, or for the whole list of a user of another server.
    pub device_id: Option<OwnedDeviceId>,
    /// Where it changed last.
    pub position: Position,
}

impl WriteSet {
    /// Notes that a device has changed, came or is gone: others are told. Without a device, the user's keys for
    /// cross-signing have changed, or the list as a whole.
    pub fn change_devices(&mut self, user: UserSn, device_id: Option<&DeviceId>) {
        let position = self.announce(PendingChange::Other(Change::Devices { user, gone: GoneDevices::None }));
        let device_id = device_id.map_or("", DeviceId::as_str);
        self.write(&PUT_DEVICE_CHANGE, vec![user.into(), device_id.into(), position]);
    }

    /// Keeps the identity keys of a device that is here.
    pub fn put_device_keys(&mut self, user: UserSn, device: DeviceSn, device_id: &DeviceId, keys: &str) {
        let row = vec![
            user.into(),
            device_id.as_str().into(),
            device.into(),
            Option::<&str>::None.into(),
            keys.into(),
        ];
        self.write(&PUT_DEVICE_KEYS, row);
    }

    /// Keeps the identity keys of a device of another server.
    pub fn put_remote_device(
        &mut self,
        user: UserSn,
        device_id: &DeviceId,
        display_name: Option<&str>,
        keys: &str,
    ) {
        let name = device_id.as_str();
        let row = vec![user.into(), name.into(), ELSEWHERE.into(), display_name.into(), keys.into()];
        self.write(&PUT_DEVICE_KEYS, row);
    }

    /// Forgets the identity keys of a device.
    pub fn delete_device_keys(&mut self, user: UserSn, device_id: &DeviceId) {
        self.write(&DELETE_DEVICE_KEYS, vec![user.into(), device_id.as_str().into()]);
        self.delete_signatures_on(user, device_id.as_str());
    }

    /// Forgets the identity keys of all of a user's devices.
    pub fn delete_all_device_keys(&mut self, user: UserSn) {
        self.write(&DELETE_ALL_DEVICE_KEYS, vec![user.into()]);
    }

    /// Forgets the signatures on a device's keys, or on a key for cross-signing.
    pub fn delete_signatures_on(&mut self, user: UserSn, target: &str) {
        self.write(&DELETE_SIGNATURES_OF_DEVICE, vec![user.into(), target.into()]);
    }
}

impl Store {
    /// The devices of users that have keys, by user and name.
    pub async fn device_keys(&self, users: &[UserSn]) -> Result<Vec<DeviceKeys>, StorageError> {
        let rows = self.engine.fetch_list(&DEVICE_KEYS, Vec::new(), users.iter().copied()).await?;
        rows.iter().map(from_row).collect()
    }

    /// A device, if it has keys.
    pub async fn device_keys_of(
        &self,
        user: UserSn,
        device_id: &DeviceId,
    ) -> Result<Option<DeviceKeys>, StorageError> {
        let row =
            self.engine.fetch_one(&DEVICE_KEYS_OF, vec![user.into(), device_id.as_str().into()]).await?;
        row.as_ref().map(from_row).transpose()
    }

    /// What changed in anybody's list of devices after one position, up to another: in order of the last change.
    pub async fn device_changes_between(
        &self,
        after: Position,
        until: Position,
    ) -> Result<Vec<DeviceChange>, StorageError> {
        let rows = self.engine.fetch(&DEVICES_CHANGED, vec![after.into(), until.into()]).await?;
        let change = |row: &Row| {
            let device_id = Some(row.text(1)?).filter(|device_id| !device_id.is_empty());
            Ok(DeviceChange {
                user: UserSn(row.int(0)?),
                device_id: device_id.map(OwnedDeviceId::from),
                position: Position(row.int(2)?),
            })
        };
        rows.iter().map(change).collect()
    }

    /// Whose membership of any room changed last after one position, up to another. Looks at all memberships.
    pub async fn all_members_changed_between(
        &self,
        after: Position,
        until: Position,
    ) -> Result<Vec<(RoomSn, UserSn)>, StorageError> {
        let rows = self.engine.fetch(&ALL_MEMBERS_CHANGED, vec![after.into(), until.into()]).await?;
        rows.iter().map(|row| Ok((RoomSn(row.int(0)?), UserSn(row.int(1)?)))).collect()
    }

    /// Whose membership of one of these rooms changed last after one position, up to another.
    pub async fn members_changed_between(
        &self,
        rooms: &[RoomSn],
        after: Position,
        until: Position,
    ) -> Result<Vec<(RoomSn, UserSn)>, StorageError> {
        let fixed = vec![after.into(), until.into()];
        let rows = self.engine.fetch_list(&MEMBERS_CHANGED, fixed, rooms.iter().copied()).await?;
        rows.iter().map(|row| Ok((RoomSn(row.int(0)?), UserSn(row.int(1)?)))).collect()
    }
}

fn from_row(row: &Row) -> Result<DeviceKeys, StorageError> {
    Ok(DeviceKeys {
        user: UserSn(row.int(0)?),
        device_id: row.text(1)?.into(),
        device: Some(DeviceSn(row.int(2)?)).filter(|device| *device != ELSEWHERE),
        display_name: row.opt_text(3)?,
        keys: row.text(4)?,
    })
}
