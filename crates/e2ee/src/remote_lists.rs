//! Following the devices of users of other servers
//! (<https://spec.matrix.org/v1.19/server-server-api/#device-management>).
//!
//! A list that is followed is kept here and changed with each update. An update that does not follow on the last
//! one shows that one was missed: the list is stale until its server has told the whole of it. The devices of
//! users with whom nobody here shares a room are not followed.

use parvis_peers::{Limits, PeerError};
use parvis_storage::{DeviceList, StorageError, UserSn, WriteSet};
use ruma::{
    DeviceId, OwnedDeviceId, ServerName, UserId,
    api::federation::transactions::edu::{DeviceListUpdateContent, SigningKeyUpdateContent},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    cross_signing::{CrossKey, MASTER, SELF_SIGNING},
    engine::E2ee,
    error::plain,
    remote::owned_json,
    upload::check_device_keys,
};

/// The most devices of one user that are kept.
const MOST_DEVICES: usize = 1_000;

/// The whole of a list, as its server tells it. Devices may be without keys.
#[derive(Debug, Deserialize)]
struct WholeList {
    stream_id: i64,
    #[serde(default)]
    devices: Vec<ToldDevice>,
    master_key: Option<Box<RawValue>>,
    self_signing_key: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
struct ToldDevice {
    device_id: OwnedDeviceId,
    device_display_name: Option<String>,
    keys: Option<Box<RawValue>>,
}

/// What a device is like.
struct NewDevice<'a> {
    device_id: &'a OwnedDeviceId,
    display_name: Option<&'a str>,
    keys: Option<&'a RawValue>,
}

/// Keeps a device, or forgets it if it has no good keys.
fn put_device(set: &mut WriteSet, user: UserSn, user_id: &UserId, device: &NewDevice<'_>) {
    let keys = device.keys.and_then(|keys| owned_json(user_id, keys)).filter(|keys| {
        check_device_keys(keys).is_ok() && keys.text_field("device_id") == Some(device.device_id.as_str())
    });
    match keys {
        Some(keys) => set.put_remote_device(user, device.device_id, device.display_name, &keys.text()),
        None => set.delete_device_keys(user, device.device_id),
    }
}

fn put_cross_key(
    set: &mut WriteSet,
    user: UserSn,
    user_id: &UserId,
    usage: &'static str,
    key: Option<&RawValue>,
) {
    if let Some(Ok(key)) = key.map(|key| CrossKey::read(key, usage, user_id)) {
        set.put_cross_signing_key(user, usage, &key.object.text());
    }
}

impl E2ee {
    /// Takes in that a device of another server's user changed. Updates that are known already, and those of
    /// users with whom nobody here shares a room, are passed over.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn receive_device_list_update(
        &self,
        origin: &ServerName,
        update: &DeviceListUpdateContent,
    ) -> Result<(), StorageError> {
        let Some(user) = self.followed(origin, &update.user_id).await? else { return Ok(()) };
        let _turn = self.turn(user.0).await;
        let stream_id = i64::from(update.stream_id);
        let keys = update.keys.as_ref().filter(|_| update.deleted != Some(true));
        let mut set = WriteSet::new();
        let mut is_news = true;
        match self.store.device_list(user).await? {
            Some(list) if !list.stale && stream_id <= list.stream_id => return Ok(()),
            Some(list) => {
                let mut before = update.prev_id.iter().map(|id| i64::from(*id));
                let follows_on = !update.prev_id.is_empty() && before.all(|id| id <= list.stream_id);
                if follows_on && !list.stale {
                    let device = NewDevice {
                        device_id: &update.device_id,
                        display_name: update.device_display_name.as_deref(),
                        keys: keys.map(|keys| keys.json()),
                    };
                    is_news = keys.is_some() || self.has_keys(user, &update.device_id).await?;
                    put_device(&mut set, user, &update.user_id, &device);
                    set.put_device_list(DeviceList { stream_id, ..list });
                } else {
                    set.put_device_list(DeviceList { stale: true, ..list });
                }
            }
            // Of a device that cannot encrypt nobody has ever heard, nor will now.
            None => is_news = keys.is_some() || update.deleted == Some(true),
        }
        if is_news {
            set.change_devices(user, None);
        }
        if !set.is_empty() {
            self.store.commit(set).await.map_err(plain)?;
        }
        self.missed.notify_one();
        Ok(())
    }

    async fn has_keys(&self, user: UserSn, device_id: &DeviceId) -> Result<bool, StorageError> {
        Ok(self.store.device_keys_of(user, device_id).await?.is_some())
    }

    /// Takes in that another server's user has other keys for cross-signing.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn receive_signing_key_update(
        &self,
        origin: &ServerName,
        update: &SigningKeyUpdateContent,
    ) -> Result<(), StorageError> {
        let Some(user) = self.followed(origin, &update.user_id).await? else { return Ok(()) };
        let _turn = self.turn(user.0).await;
        let mut set = WriteSet::new();
        if self.store.device_list(user).await?.is_some() {
            let (master, own) = (&update.master_key, &update.self_signing_key);
            put_cross_key(&mut set, user, &update.user_id, MASTER, master.as_ref().map(|key| key.json()));
            put_cross_key(&mut set, user, &update.user_id, SELF_SIGNING, own.as_ref().map(|key| key.json()));
        }
        set.change_devices(user, None);
        self.store.commit(set).await.map_err(plain)?;
        Ok(())
    }

    /// The user, if they are of the server that speaks of them, and somebody here shares a room with them.
    async fn followed(&self, origin: &ServerName, user_id: &UserId) -> Result<Option<UserSn>, StorageError> {
        if user_id.server_name() != origin || self.is_ours(user_id) {
            return Ok(None);
        }
        let Some(user) = self.store.find_user(user_id).await? else { return Ok(None) };
        Ok(self.follows(user).await?.then_some(user))
    }

    /// Has the list of a user asked for and followed from now on, if it is not followed yet and somebody here
    /// shares a room with them.
    pub(crate) async fn begin_to_follow(&self, user_id: &UserId) -> Result<(), StorageError> {
        let Some(user) = self.store.find_user(user_id).await? else { return Ok(()) };
        if self.store.device_list(user).await?.is_none() && self.follows(user).await? {
            let mut set = WriteSet::new();
            set.put_device_list(DeviceList { user, stream_id: 0, stale: true });
            self.store.commit(set).await.map_err(plain)?;
        }
        self.missed.notify_one();
        Ok(())
    }

    /// Asks for the whole of a list that is stale. Says whether it was told.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn ask_for_list(&self, user: UserSn) -> Result<bool, StorageError> {
        let user_id = self.store.user_id(user).await?;
        if !self.follows(user).await? {
            let mut set = WriteSet::new();
            self.forget_list(&mut set, user);
            self.store.commit(set).await.map_err(plain)?;
            return Ok(true);
        }
        match self.whole_list(&user_id).await {
            Ok(list) => self.put_whole_list(user, &user_id, list).await.map(|()| true),
            Err(error) => {
                tracing::debug!(%user_id, %error, "a server does not tell the devices of its user");
                Ok(false)
            }
        }
    }

    async fn whole_list(&self, user_id: &UserId) -> Result<WholeList, PeerError> {
        let server = user_id.server_name();
        let path = format!("/_matrix/federation/v1/user/devices/{}", encode(user_id.as_str()));
        let request = http::Request::get(path)
            .body(bytes::Bytes::new())
            .map_err(|error| PeerError::Unsendable(error.to_string()))?;
        let answer = self.federation.exchange(server, request, Limits::QUESTION).await?;
        let body = answer.into_body().collect(server, Limits::QUESTION.max_bytes).await?;
        serde_json::from_slice(&body)
            .map_err(|error| PeerError::Malformed { server: server.to_string(), problem: error.to_string() })
    }

    async fn put_whole_list(
        &self,
        user: UserSn,
        user_id: &UserId,
        list: WholeList,
    ) -> Result<(), StorageError> {
        let _turn = self.turn(user.0).await;
        let before = self.store.device_keys(&[user]).await?;
        let mut set = WriteSet::new();
        for device in &before {
            if !list.devices.iter().any(|told| told.device_id == device.device_id) {
                set.delete_device_keys(user, &device.device_id);
            }
        }
        for device in list.devices.iter().take(MOST_DEVICES) {
            let ToldDevice { device_id, device_display_name, keys } = device;
            let (display_name, keys) = (device_display_name.as_deref(), keys.as_deref());
            put_device(&mut set, user, user_id, &NewDevice { device_id, display_name, keys });
        }
        put_cross_key(&mut set, user, user_id, MASTER, list.master_key.as_deref());
        put_cross_key(&mut set, user, user_id, SELF_SIGNING, list.self_signing_key.as_deref());
        set.put_device_list(DeviceList { user, stream_id: list.stream_id, stale: false });
        // Clients that asked while the server was silent look again.
        if !before.is_empty() {
            set.change_devices(user, None);
        }
        self.store.commit(set).await.map_err(plain)?;
        Ok(())
    }

    /// Ends following a list: its updates do not reach us any more.
    pub(crate) fn forget_list(&self, set: &mut WriteSet, user: UserSn) {
        set.delete_device_list(user);
        set.delete_all_device_keys(user);
    }
}

/// Percent-encodes a segment of a path.
fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
