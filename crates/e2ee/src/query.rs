//! Keys of users and their devices, as others may see them
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysquery>).

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use parvis_storage::{CrossSigningKey, DeviceKeys, KeySignature, StorageError, UserSn};
use ruma::{OwnedDeviceId, OwnedUserId, UserId};
use serde_json::{Value, value::RawValue};

use crate::{
    cross_signing::{MASTER, SELF_SIGNING, USER_SIGNING},
    engine::{Caller, E2ee},
    key_object::KeyObject,
};

/// Who looks at keys.
#[derive(Clone, Copy, Debug)]
pub enum Viewer<'a> {
    /// A user of this server: sees their own key for signing others, and what they signed with it.
    User(UserSn, &'a UserId),
    /// Another server.
    Server,
}

/// Whose keys are wanted.
#[derive(Clone, Debug)]
pub struct KeyQuery {
    /// The devices of each user; where none is named, all.
    pub users: BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>,
    /// How long to wait for other servers.
    pub timeout: Duration,
}

/// The devices of a user of this server, as other servers get them.
#[derive(Clone, Debug)]
pub struct DeviceList {
    /// The number of the last change that others were told.
    pub stream_id: i64,
    /// The devices that have keys.
    pub devices: Vec<ListedDevice>,
    /// The key that stands for the user.
    pub master_key: Option<Box<RawValue>>,
    /// The key with which the user signs the devices.
    pub self_signing_key: Option<Box<RawValue>>,
}

/// A device in such a list.
#[derive(Clone, Debug)]
pub struct ListedDevice {
    /// The device.
    pub device_id: OwnedDeviceId,
    /// What people call it, if others may know.
    pub display_name: Option<String>,
    /// Its identity keys.
    pub keys: Box<RawValue>,
}

/// Which devices of which users are wanted; where none is named, all.
pub(crate) type Wanted = BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>;

/// Keys, as JSON objects with the signatures that the viewer may see.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Identity keys of devices.
    pub device_keys: BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, Box<RawValue>>>,
    /// The keys that stand for users.
    pub master_keys: BTreeMap<OwnedUserId, Box<RawValue>>,
    /// The keys with which users sign their devices.
    pub self_signing_keys: BTreeMap<OwnedUserId, Box<RawValue>>,
    /// The keys with which users sign others: the viewer's own only.
    pub user_signing_keys: BTreeMap<OwnedUserId, Box<RawValue>>,
    /// Servers that could not be asked, and why.
    pub failures: BTreeMap<String, Value>,
}

/// What the tables hold of some users.
#[derive(Default)]
struct Found {
    devices: HashMap<UserSn, Vec<DeviceKeys>>,
    cross_signing: HashMap<UserSn, Vec<CrossSigningKey>>,
    signatures: HashMap<UserSn, Vec<KeySignature>>,
}

impl Found {
    /// A key with the signatures that came after it.
    fn signed(&self, user: UserSn, target_id: &str, key: &str) -> Result<KeyObject, StorageError> {
        let mut key =
            KeyObject::from_text(key).map_err(|error| StorageError::Corrupt(format!("a key: {error}")))?;
        for signature in self.signatures.get(&user).into_iter().flatten() {
            if signature.target_id == target_id {
                key.add_signature(&signature.signer, &signature.key_id, &signature.signature);
            }
        }
        Ok(key)
    }
}

impl E2ee {
    /// The keys of users here and elsewhere. Those of unknown users are missing, and so are those of servers that
    /// do not answer in time, which are named.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn query_keys(&self, caller: &Caller, query: KeyQuery) -> Result<Keys, StorageError> {
        let viewer = Viewer::User(caller.user, &caller.user_id);
        let (known, unknown) = self.divide(query.users).await?;
        let mut keys = self.known_keys(&known, viewer).await?;
        self.ask_for_keys(unknown, query.timeout, viewer, &mut keys).await?;
        Ok(keys)
    }

    /// Divides those whose keys are known here from those whose servers must be asked: users of other servers
    /// with whom nobody here shares a room, or of whom a change was missed.
    async fn divide(&self, users: Wanted) -> Result<(Wanted, Wanted), StorageError> {
        let (mut known, mut unknown) = (Wanted::new(), Wanted::new());
        for (user_id, devices) in users {
            let is_known = self.is_ours(&user_id) || self.has_list(&user_id).await?;
            let side = if is_known { &mut known } else { &mut unknown };
            side.insert(user_id, devices);
        }
        Ok((known, unknown))
    }

    async fn has_list(&self, user_id: &UserId) -> Result<bool, StorageError> {
        let Some(user) = self.store.find_user(user_id).await? else { return Ok(false) };
        let list = self.store.device_list(user).await?;
        Ok(list.is_some_and(|list| !list.stale) && self.follows(user).await?)
    }

    /// The devices of a user of this server, for another server that follows them; nothing, if there is no such
    /// user.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn device_list(&self, user_id: &UserId) -> Result<Option<DeviceList>, StorageError> {
        let user = match self.store.find_user(user_id).await? {
            Some(user) if self.is_ours(user_id) => user,
            _ => return Ok(None),
        };
        // Before the keys: a change in between is then told once more rather than never.
        let stream_id = self.stream_id(user).await?;
        let mut keys =
            self.known_keys(&Wanted::from([(user_id.to_owned(), Vec::new())]), Viewer::Server).await?;
        let known = self.store.device_keys(&[user]).await?;
        let mut devices = Vec::new();
        for (device_id, keys) in keys.device_keys.remove(user_id).unwrap_or_default() {
            let named = known.iter().find(|device| device.device_id == device_id);
            let display_name = named.and_then(|device| device.display_name.clone());
            let display_name = display_name.filter(|_| self.settings.share_device_names);
            devices.push(ListedDevice { device_id, display_name, keys });
        }
        Ok(Some(DeviceList {
            stream_id,
            devices,
            master_key: keys.master_keys.remove(user_id),
            self_signing_key: keys.self_signing_keys.remove(user_id),
        }))
    }

    /// The number of the last change in the list of a user of this server that others were told.
    pub(crate) async fn stream_id(&self, user: UserSn) -> Result<i64, StorageError> {
        Ok(self.store.device_list(user).await?.map_or(1, |list| list.stream_id))
    }

    /// The keys that are kept here of these users.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn known_keys(
        &self,
        wanted: &BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>,
        viewer: Viewer<'_>,
    ) -> Result<Keys, StorageError> {
        let mut users = Vec::with_capacity(wanted.len());
        let mut keys = Keys::default();
        for user_id in wanted.keys() {
            keys.device_keys.insert(user_id.clone(), BTreeMap::new());
            if let Some(user) = self.store.find_user(user_id).await? {
                users.push((user, user_id));
            }
        }
        let numbers: Vec<UserSn> = users.iter().map(|(user, _)| *user).collect();
        let found = self.find(&numbers, viewer).await?;
        for (user, user_id) in users {
            let devices = wanted.get(user_id).map(Vec::as_slice).unwrap_or_default();
            self.add_devices(&mut keys, &found, user, user_id, devices, viewer)?;
            add_cross_signing(&mut keys, &found, user, user_id, viewer)?;
        }
        Ok(keys)
    }

    async fn find(&self, users: &[UserSn], viewer: Viewer<'_>) -> Result<Found, StorageError> {
        let viewer = match viewer {
            Viewer::User(user, _) => Some(user),
            Viewer::Server => None,
        };
        let mut found = Found::default();
        for device in self.store.device_keys(users).await? {
            found.devices.entry(device.user).or_default().push(device);
        }
        for key in self.store.cross_signing_keys(users).await? {
            found.cross_signing.entry(key.user).or_default().push(key);
        }
        for signature in self.store.key_signatures(users, viewer).await? {
            found.signatures.entry(signature.target).or_default().push(signature);
        }
        Ok(found)
    }

    fn add_devices(
        &self,
        keys: &mut Keys,
        found: &Found,
        user: UserSn,
        user_id: &UserId,
        wanted: &[OwnedDeviceId],
        viewer: Viewer<'_>,
    ) -> Result<(), StorageError> {
        let named = matches!(viewer, Viewer::User(..)) || self.settings.share_device_names;
        let devices = keys.device_keys.entry(user_id.to_owned()).or_default();
        for device in found.devices.get(&user).into_iter().flatten() {
            if !wanted.is_empty() && !wanted.contains(&device.device_id) {
                continue;
            }
            let mut key = found.signed(user, device.device_id.as_str(), &device.keys)?;
            if let Some(name) = device.display_name.as_deref().filter(|_| named) {
                key.set_display_name(name);
            }
            devices.insert(device.device_id.clone(), key.into_json());
        }
        Ok(())
    }
}

fn add_cross_signing(
    keys: &mut Keys,
    found: &Found,
    user: UserSn,
    user_id: &UserId,
    viewer: Viewer<'_>,
) -> Result<(), StorageError> {
    let is_own = matches!(viewer, Viewer::User(_, viewer) if viewer == user_id);
    for stored in found.cross_signing.get(&user).into_iter().flatten() {
        let place = match stored.usage.as_str() {
            MASTER => &mut keys.master_keys,
            SELF_SIGNING => &mut keys.self_signing_keys,
            USER_SIGNING if is_own => &mut keys.user_signing_keys,
            _ => continue,
        };
        let key = KeyObject::from_text(&stored.key);
        let public = key.ok().and_then(|key| key.public_keys().next().map(|(_, key)| key.to_owned()));
        let key = found.signed(user, public.as_deref().unwrap_or_default(), &stored.key)?;
        place.insert(user_id.to_owned(), key.into_json());
    }
    Ok(())
}
