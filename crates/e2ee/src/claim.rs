//! One-time keys, each given to one
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysclaim>).

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use parvis_storage::{DeviceSn, FallbackKey, StorageError, UserSn, WriteSet};
use ruma::{OwnedDeviceId, OwnedUserId};
use serde_json::{Value, value::RawValue};

use crate::{engine::E2ee, error::plain};

/// The algorithm of the key that is wanted, by user and device.
pub type Claims = BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, String>>;

/// From which devices a key is wanted, and of which algorithm.
#[derive(Clone, Debug)]
pub struct KeyClaims {
    /// The algorithm, for each device of each user.
    pub devices: Claims,
    /// How long to wait for other servers.
    pub timeout: Duration,
}

/// Keys that nobody else gets. Devices that have none are missing.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// The key of each device, by its name (algorithm, colon and id).
    pub keys: BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, BTreeMap<String, Box<RawValue>>>>,
    /// Servers that could not be asked, and why.
    pub failures: BTreeMap<String, Value>,
}

/// A device here from which a key is wanted.
struct Wanted {
    user: UserSn,
    user_id: OwnedUserId,
    device: DeviceSn,
    device_id: OwnedDeviceId,
    algorithm: String,
}

impl Claimed {
    fn put(&mut self, wanted: &Wanted, key_id: &str, key: String) -> Result<(), StorageError> {
        let key =
            RawValue::from_string(key).map_err(|_| StorageError::Corrupt("a one-time key".to_owned()))?;
        let devices = self.keys.entry(wanted.user_id.clone()).or_default();
        let name = format!("{}:{key_id}", wanted.algorithm);
        devices.entry(wanted.device_id.clone()).or_default().insert(name, key);
        Ok(())
    }
}

impl E2ee {
    /// Takes a key from each of these devices, here and elsewhere: the oldest one-time key, or where none is left
    /// the fallback key. No one-time key is given twice, whatever happens.
    ///
    /// # Errors
    /// If the store fails. Keys that were taken by then are lost.
    pub async fn claim_keys(&self, claims: KeyClaims) -> Result<Claimed, StorageError> {
        let (ours, theirs): (Claims, Claims) =
            claims.devices.into_iter().partition(|(user_id, _)| self.is_ours(user_id));
        let mut claimed = self.claim_our_keys(ours).await?;
        self.claim_elsewhere(theirs, claims.timeout, &mut claimed).await;
        Ok(claimed)
    }

    /// As [`claim_keys`](Self::claim_keys), of devices of this server only.
    ///
    /// # Errors
    /// If the store fails. Keys that were taken by then are lost.
    pub async fn claim_our_keys(&self, mut claims: Claims) -> Result<Claimed, StorageError> {
        claims.retain(|user_id, _| self.is_ours(user_id));
        let wanted = self.wanted(claims).await?;
        let mut claimed = Claimed::default();
        let without = self.take_one_time_keys(wanted, &mut claimed).await?;
        self.take_fallback_keys(without, &mut claimed).await?;
        Ok(claimed)
    }

    /// The devices that there are.
    async fn wanted(&self, claims: Claims) -> Result<Vec<Wanted>, StorageError> {
        let mut wanted = Vec::new();
        for (user_id, devices) in claims {
            let Some(user) = self.store.find_user(&user_id).await? else { continue };
            let mut known = self.store.devices_by_id(user).await?;
            for (device_id, algorithm) in devices {
                let Some(device) = known.remove(&device_id) else { continue };
                let (user_id, device) = (user_id.clone(), device.device);
                wanted.push(Wanted { user, user_id, device, device_id, algorithm });
            }
        }
        Ok(wanted)
    }

    /// Takes one-time keys; gives the devices that have none.
    async fn take_one_time_keys(
        &self,
        wanted: Vec<Wanted>,
        claimed: &mut Claimed,
    ) -> Result<Vec<Wanted>, StorageError> {
        let (now, mut set) = (self.now().millis(), WriteSet::new());
        let mut taken = Vec::new();
        let mut without = Vec::new();
        for wanted in wanted {
            // A device that has run out, or never had any, costs no write.
            let state = self.store.device_state(wanted.device).await?;
            if state.one_time_keys.get(&wanted.algorithm).is_none_or(|count| *count == 0) {
                without.push(wanted);
                continue;
            }
            let key = set.claim_one_time_key(wanted.user, wanted.device, &wanted.algorithm, now);
            taken.push((wanted, key));
        }
        if taken.is_empty() {
            return Ok(without);
        }
        self.store.commit(set).await.map_err(plain)?;
        for (wanted, key) in taken {
            match key.into_key()? {
                Some((key_id, key)) => claimed.put(&wanted, &key_id, key)?,
                None => without.push(wanted),
            }
        }
        Ok(without)
    }

    async fn take_fallback_keys(
        &self,
        wanted: Vec<Wanted>,
        claimed: &mut Claimed,
    ) -> Result<(), StorageError> {
        let devices: HashSet<DeviceSn> = wanted.iter().map(|wanted| wanted.device).collect();
        let devices: Vec<DeviceSn> = devices.into_iter().collect();
        let known = self.store.fallback_keys(&devices).await?.into_iter();
        let known: HashMap<(DeviceSn, String), FallbackKey> =
            known.map(|key| ((key.device, key.algorithm.clone()), key)).collect();
        let mut set = WriteSet::new();
        for wanted in wanted {
            let Some(key) = known.get(&(wanted.device, wanted.algorithm.clone())) else { continue };
            if !key.used {
                set.use_fallback_key(wanted.user, key);
            }
            claimed.put(&wanted, &key.key_id, key.key.clone())?;
        }
        if !set.is_empty() {
            self.store.commit(set).await.map_err(plain)?;
        }
        Ok(())
    }
}
