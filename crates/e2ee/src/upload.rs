//! Keys that a device uploads for itself
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysupload>).

use std::{collections::BTreeMap, time::Duration};

use parvis_storage::{CommitError, DEVICE_IS_THERE, OneTimeKey, StorageError, WriteSet};
use ruma::CanonicalJsonValue;
use serde_json::value::RawValue;

use crate::{
    engine::{Caller, E2ee},
    error::plain,
    key_object::{InvalidKey, KeyObject},
};

/// How long a key is remembered that somebody has: for as long as a client may try an upload again.
const CLAIMED_ARE_KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// How many one-time keys of an algorithm a device may have. Clients keep about fifty.
const MOST_KEYS: u64 = 1_000;
/// The keys of which clients want to know that there are none.
const USUAL_KEYS: &str = "signed_curve25519";

/// What a device uploads. Keys are named by their algorithm, a colon and an id.
#[derive(Clone, Debug, Default)]
pub struct KeyUpload<'a> {
    /// The identity keys.
    pub device_keys: Option<&'a RawValue>,
    /// Keys to be given away once, in this order.
    pub one_time_keys: Vec<(&'a str, &'a RawValue)>,
    /// A key of each algorithm for when there are none of those left.
    pub fallback_keys: Vec<(&'a str, &'a RawValue)>,
}

/// Why keys are not kept.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// A key has not the form of one.
    #[error(transparent)]
    Invalid(#[from] InvalidKey),
    /// The identity keys speak of another user or device.
    #[error("the device keys are those of another user or device")]
    NotYours,
    /// There is another one-time key of this name.
    #[error("there is another one-time key named {0}")]
    Taken(String),
    /// The device has as many one-time keys as it may have.
    #[error("a device has {MOST_KEYS} one-time keys of an algorithm at most")]
    TooMany,
    /// The device was taken away meanwhile.
    #[error("the device is gone")]
    Gone,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A key that is given away, read.
pub(crate) struct NamedKey<'a> {
    algorithm: &'a str,
    key_id: &'a str,
    key: String,
}

impl<'a> NamedKey<'a> {
    fn read((name, key): &(&'a str, &RawValue)) -> Result<Self, InvalidKey> {
        let (algorithm, key_id) = name
            .split_once(':')
            .filter(|(algorithm, key_id)| !algorithm.is_empty() && !key_id.is_empty())
            .ok_or_else(|| InvalidKey(format!("`{name}` does not name an algorithm and a key")))?;
        let value: CanonicalJsonValue =
            serde_json::from_str(key.get()).map_err(|error| InvalidKey(format!("`{name}`: {error}")))?;
        let is_key = match &value {
            CanonicalJsonValue::String(_) => true,
            CanonicalJsonValue::Object(object) => {
                object.get("key").is_some_and(CanonicalJsonValue::is_string)
            }
            _ => false,
        };
        if !is_key {
            return Err(InvalidKey(format!("`{name}` holds no key")));
        }
        // Canonical JSON always serialises.
        Ok(Self { algorithm, key_id, key: serde_json::to_string(&value).unwrap_or_default() })
    }

    fn as_row(&self) -> (&str, &str, &str) {
        (self.algorithm, self.key_id, &self.key)
    }
}

/// What a device uploads, read.
pub(crate) struct ReadKeys<'a> {
    device_keys: Option<KeyObject>,
    one_time_keys: Vec<NamedKey<'a>>,
    fallback_keys: Vec<NamedKey<'a>>,
}

impl<'a> ReadKeys<'a> {
    /// Reads what a device uploads.
    pub(crate) fn read(caller: &Caller, upload: &KeyUpload<'a>) -> Result<Self, UploadError> {
        let named =
            |keys: &[(&'a str, &'a RawValue)]| keys.iter().map(NamedKey::read).collect::<Result<_, _>>();
        Ok(Self {
            device_keys: upload.device_keys.map(|keys| read_device_keys(caller, keys)).transpose()?,
            one_time_keys: named(&upload.one_time_keys)?,
            fallback_keys: named(&upload.fallback_keys)?,
        })
    }
}

impl E2ee {
    /// Keeps the keys that a device uploads; gives how many one-time keys of each algorithm are left. The same
    /// upload once more changes nothing. Other identity keys void the one-time keys that the old ones signed.
    ///
    /// # Errors
    /// Any [`UploadError`]; nothing was kept then.
    pub async fn upload_keys(
        &self,
        caller: &Caller,
        upload: &KeyUpload<'_>,
    ) -> Result<BTreeMap<String, u64>, UploadError> {
        let keys = ReadKeys::read(caller, upload)?;
        let _turn = self.turn(caller.device.0).await;
        let mut set = WriteSet::new();
        self.put_keys(&mut set, caller, &keys).await?;
        if !set.is_empty() {
            set.demand_device(caller.device);
            self.store.commit(set).await.map_err(|error| match error {
                CommitError::Guard(DEVICE_IS_THERE) => UploadError::Gone,
                error => plain(error).into(),
            })?;
        }
        let mut counts = self.store.device_state(caller.device).await?.one_time_keys.clone();
        counts.entry(USUAL_KEYS.to_owned()).or_default();
        Ok(counts)
    }

    /// Puts down the keys of a device.
    pub(crate) async fn put_keys(
        &self,
        set: &mut WriteSet,
        caller: &Caller,
        keys: &ReadKeys<'_>,
    ) -> Result<(), UploadError> {
        let anew = match &keys.device_keys {
            Some(keys) => self.put_device_keys(set, caller, keys).await?,
            None => false,
        };
        self.put_one_time_keys(set, caller, &keys.one_time_keys, anew).await?;
        self.put_fallback_keys(set, caller, &keys.fallback_keys, anew).await?;
        Ok(())
    }

    /// Says whether these are other identity keys than before.
    async fn put_device_keys(
        &self,
        set: &mut WriteSet,
        caller: &Caller,
        keys: &KeyObject,
    ) -> Result<bool, StorageError> {
        let known = self.store.device_keys_of(caller.user, &caller.device_id).await?;
        let known = known.and_then(|known| KeyObject::from_text(&known.keys).ok());
        if known.as_ref() == Some(keys) {
            return Ok(false);
        }
        let anew = known.is_some_and(|known| known.get("keys") != keys.get("keys"));
        if anew {
            set.delete_one_time_keys(caller.user, caller.device);
            set.delete_signatures_on(caller.user, caller.device_id.as_str());
        }
        set.put_device_keys(caller.user, caller.device, &caller.device_id, &keys.text());
        set.change_devices(caller.user, Some(&caller.device_id));
        Ok(anew)
    }

    async fn put_one_time_keys(
        &self,
        set: &mut WriteSet,
        caller: &Caller,
        keys: &[NamedKey<'_>],
        anew: bool,
    ) -> Result<(), UploadError> {
        let key_ids: Vec<&str> = keys.iter().map(|key| key.key_id).collect();
        let known = if anew { Vec::new() } else { self.store.one_time_keys(caller.device, &key_ids).await? };
        let mut new = Vec::new();
        for key in keys {
            let is_it = |known: &&OneTimeKey| known.algorithm == key.algorithm && known.key_id == key.key_id;
            match known.iter().find(is_it) {
                Some(known) if known.key == key.key => {}
                Some(known) if !known.claimed => {
                    return Err(UploadError::Taken(format!("{}:{}", key.algorithm, key.key_id)));
                }
                _ => new.push(key.as_row()),
            }
        }
        let mut counts = match anew {
            true => BTreeMap::new(),
            false => self.store.device_state(caller.device).await?.one_time_keys.clone(),
        };
        for (algorithm, _, _) in &new {
            let count = counts.entry((*algorithm).to_owned()).or_default();
            *count += 1;
            if *count > MOST_KEYS {
                return Err(UploadError::TooMany);
            }
        }
        if !new.is_empty() {
            let before = self.now().millis().saturating_sub(millis(CLAIMED_ARE_KEPT));
            set.delete_claimed_one_time_keys(caller.device, before);
            set.put_one_time_keys(caller.user, caller.device, new);
        }
        Ok(())
    }

    /// A key that is there already stays used, if it is.
    async fn put_fallback_keys(
        &self,
        set: &mut WriteSet,
        caller: &Caller,
        keys: &[NamedKey<'_>],
        anew: bool,
    ) -> Result<(), StorageError> {
        if keys.is_empty() {
            return Ok(());
        }
        let known = if anew { Vec::new() } else { self.store.fallback_keys(&[caller.device]).await? };
        for key in keys {
            let is_known = known.iter().any(|known| {
                (known.algorithm.as_str(), known.key_id.as_str(), known.key.as_str()) == key.as_row()
            });
            if !is_known {
                set.put_fallback_key(caller.user, caller.device, key.as_row());
            }
        }
        Ok(())
    }
}

/// Reads identity keys, which must be those of the caller's device.
fn read_device_keys(caller: &Caller, json: &RawValue) -> Result<KeyObject, UploadError> {
    let mut keys = KeyObject::parse(json)?;
    check_device_keys(&keys)?;
    let is_yours = keys.text_field("user_id") == Some(caller.user_id.as_str())
        && keys.text_field("device_id") == Some(caller.device_id.as_str());
    if !is_yours {
        return Err(UploadError::NotYours);
    }
    keys.keep_signatures_of(&caller.user_id)?;
    Ok(keys)
}

/// Whether something has the form of identity keys.
pub(crate) fn check_device_keys(keys: &KeyObject) -> Result<(), InvalidKey> {
    let algorithms = keys.get("algorithms").and_then(CanonicalJsonValue::as_array);
    if !algorithms.is_some_and(|algorithms| algorithms.iter().all(CanonicalJsonValue::is_string)) {
        return Err(InvalidKey("`algorithms` is no list of texts".to_owned()));
    }
    let public_keys = keys.get("keys").and_then(CanonicalJsonValue::as_object);
    if !public_keys.is_some_and(|keys| keys.values().all(CanonicalJsonValue::is_string)) {
        return Err(InvalidKey("`keys` is no object of texts".to_owned()));
    }
    Ok(())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
