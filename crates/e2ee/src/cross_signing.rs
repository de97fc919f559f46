//! Keys for cross-signing: one that stands for the user, one that signs the user's devices, and one that signs
//! other users (<https://spec.matrix.org/v1.19/client-server-api/#cross-signing>).

use parvis_storage::{StorageError, UserSn, WriteSet};
use ruma::{CanonicalJsonValue, DeviceId, UserId};
use serde_json::value::RawValue;

use crate::{
    engine::{Caller, E2ee},
    error::plain,
    key_object::{InvalidKey, KeyObject},
};

/// The key that stands for the user.
pub(crate) const MASTER: &str = "master";
/// The key that signs the user's devices.
pub(crate) const SELF_SIGNING: &str = "self_signing";
/// The key that signs other users.
pub(crate) const USER_SIGNING: &str = "user_signing";

/// The keys that a user uploads: all, or some.
#[derive(Clone, Copy, Debug, Default)]
pub struct CrossSigningUpload<'a> {
    /// The key that stands for the user.
    pub master_key: Option<&'a RawValue>,
    /// The key that signs the user's devices.
    pub self_signing_key: Option<&'a RawValue>,
    /// The key that signs other users.
    pub user_signing_key: Option<&'a RawValue>,
}

/// Why keys are not kept.
#[derive(Debug, thiserror::Error)]
pub enum CrossSigningError {
    /// A key has not the form of one.
    #[error(transparent)]
    Invalid(#[from] InvalidKey),
    /// There is no master key, and none came.
    #[error("there is no master key")]
    NoMasterKey,
    /// A key is not signed by the master key.
    #[error("the {0} key is not signed by the master key")]
    NotSigned(&'static str),
    /// There are other keys by now, and the user has not proved who they are.
    #[error("there are other keys by now")]
    Unproven,
    /// A key has the name of one of the user's devices.
    #[error("the public key is the name of one of your devices")]
    NamesDevice,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Whether somebody who uploads keys must prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// They need not: there are no keys yet, or these are the ones that are there.
    Needless,
    /// They must.
    Needed,
}

/// A key for cross-signing, read.
#[derive(Clone, Debug)]
pub(crate) struct CrossKey {
    pub(crate) usage: &'static str,
    pub(crate) object: KeyObject,
    /// The public key; its name is `ed25519:` and itself.
    pub(crate) public_key: String,
}

impl CrossKey {
    /// Reads a key of a user that is for this usage.
    pub(crate) fn read(json: &RawValue, usage: &'static str, user_id: &UserId) -> Result<Self, InvalidKey> {
        let mut object = KeyObject::parse(json)?;
        if object.text_field("user_id") != Some(user_id.as_str()) {
            return Err(InvalidKey(format!("the {usage} key is that of another user")));
        }
        let usages = object.get("usage").and_then(CanonicalJsonValue::as_array).unwrap_or_default();
        if !usages.iter().any(|known| known.as_str() == Some(usage)) {
            return Err(InvalidKey(format!("the {usage} key is not for that usage")));
        }
        let mut keys = object.public_keys();
        let public_key = match (keys.next(), keys.next()) {
            (Some((name, key)), None) if name.strip_prefix("ed25519:") == Some(key) => key.to_owned(),
            _ => {
                let form = "holds other than one key, named `ed25519:` and itself";
                return Err(InvalidKey(format!("the {usage} key {form}")));
            }
        };
        drop(keys);
        object.keep_signatures_of(user_id)?;
        Ok(Self { usage, object, public_key })
    }

    /// The name by which signatures say that this key made them.
    pub(crate) fn key_id(&self) -> String {
        format!("ed25519:{}", self.public_key)
    }

    /// Whether another key signed this one.
    fn is_signed_by(&self, other: &Self, user_id: &UserId) -> bool {
        let name = other.key_id();
        let mut signatures = self.object.signatures_of(user_id);
        signatures.any(|(key, signature)| key == name && self.object.is_signed(signature, &other.public_key))
    }
}

/// The keys of a user.
#[derive(Clone, Debug, Default)]
pub(crate) struct CrossKeys {
    pub(crate) master: Option<CrossKey>,
    pub(crate) self_signing: Option<CrossKey>,
    pub(crate) user_signing: Option<CrossKey>,
}

impl CrossKeys {
    fn read(upload: &CrossSigningUpload<'_>, user_id: &UserId) -> Result<Self, InvalidKey> {
        let read = |json: Option<&RawValue>, usage| {
            json.map(|json| CrossKey::read(json, usage, user_id)).transpose()
        };
        Ok(Self {
            master: read(upload.master_key, MASTER)?,
            self_signing: read(upload.self_signing_key, SELF_SIGNING)?,
            user_signing: read(upload.user_signing_key, USER_SIGNING)?,
        })
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &CrossKey> {
        [&self.master, &self.self_signing, &self.user_signing].into_iter().flatten()
    }

    fn of_usage(&self, usage: &str) -> Option<&CrossKey> {
        self.all().find(|key| key.usage == usage)
    }
}

/// Whether new keys may take the place of those that are known only with a proof.
fn confirmation(new: &CrossKeys, known: &CrossKeys) -> Confirmation {
    let is_known =
        |key: &CrossKey| known.of_usage(key.usage).is_some_and(|known| known.object.is_same_key(&key.object));
    let needless = known.master.is_none() || new.all().all(is_known);
    if needless { Confirmation::Needless } else { Confirmation::Needed }
}

impl E2ee {
    /// Whether the user must prove who they are before these keys are kept.
    ///
    /// # Errors
    /// Any [`CrossSigningError`]: what would not be kept needs no proof.
    pub async fn check_cross_signing_keys(
        &self,
        caller: &Caller,
        upload: &CrossSigningUpload<'_>,
    ) -> Result<Confirmation, CrossSigningError> {
        let new = CrossKeys::read(upload, &caller.user_id)?;
        let known = self.cross_keys(caller.user, &caller.user_id).await?;
        self.check(caller, &new, &known).await?;
        Ok(confirmation(&new, &known))
    }

    /// Keeps the keys of a user who has proved who they are (`proven`), or need not. Of two first uploads that come
    /// at once, one is the first.
    ///
    /// # Errors
    /// Any [`CrossSigningError`].
    pub async fn upload_cross_signing_keys(
        &self,
        caller: &Caller,
        upload: &CrossSigningUpload<'_>,
        proven: bool,
    ) -> Result<(), CrossSigningError> {
        let new = CrossKeys::read(upload, &caller.user_id)?;
        let _turn = self.turn(caller.user.0).await;
        let known = self.cross_keys(caller.user, &caller.user_id).await?;
        self.check(caller, &new, &known).await?;
        if !proven && confirmation(&new, &known) == Confirmation::Needed {
            return Err(CrossSigningError::Unproven);
        }
        let mut set = WriteSet::new();
        for key in new.all() {
            let before = known.of_usage(key.usage);
            if before.is_some_and(|before| before.object == key.object) {
                continue;
            }
            if let Some(before) = before.filter(|before| before.public_key != key.public_key) {
                set.delete_signatures_on(caller.user, &before.public_key);
                set.delete_signatures_by(caller.user, &before.key_id());
            }
            set.put_cross_signing_key(caller.user, key.usage, &key.object.text());
        }
        let replaced = |usage| known.of_usage(usage).filter(|_| new.of_usage(usage).is_none());
        let has_other_master = matches!((&known.master, &new.master),
            (Some(known), Some(new)) if known.public_key != new.public_key);
        for orphan in [SELF_SIGNING, USER_SIGNING].into_iter().filter_map(replaced) {
            // Signed by a master key that is no more.
            if has_other_master {
                set.delete_signatures_by(caller.user, &orphan.key_id());
                set.delete_cross_signing_key(caller.user, orphan.usage);
            }
        }
        if !set.is_empty() {
            set.change_devices(caller.user, None);
            self.store.commit(set).await.map_err(plain)?;
        }
        Ok(())
    }

    async fn check(
        &self,
        caller: &Caller,
        new: &CrossKeys,
        known: &CrossKeys,
    ) -> Result<(), CrossSigningError> {
        let master = new.master.as_ref().or(known.master.as_ref()).ok_or(CrossSigningError::NoMasterKey)?;
        for key in [&new.self_signing, &new.user_signing].into_iter().flatten() {
            if !key.is_signed_by(master, &caller.user_id) {
                return Err(CrossSigningError::NotSigned(key.usage));
            }
        }
        for key in new.all() {
            let device_id: &DeviceId = key.public_key.as_str().into();
            if self.store.device(caller.user, device_id).await?.is_some() {
                return Err(CrossSigningError::NamesDevice);
            }
        }
        Ok(())
    }

    /// The keys of a user that are kept here.
    pub(crate) async fn cross_keys(&self, user: UserSn, user_id: &UserId) -> Result<CrossKeys, StorageError> {
        let mut keys = CrossKeys::default();
        for stored in self.store.cross_signing_keys(&[user]).await? {
            let place = match stored.usage.as_str() {
                MASTER => (&mut keys.master, MASTER),
                SELF_SIGNING => (&mut keys.self_signing, SELF_SIGNING),
                USER_SIGNING => (&mut keys.user_signing, USER_SIGNING),
                _ => continue,
            };
            let corrupt = |error: String| StorageError::Corrupt(format!("a cross-signing key: {error}"));
            let json = RawValue::from_string(stored.key).map_err(|error| corrupt(error.to_string()))?;
            let key = CrossKey::read(&json, place.1, user_id).map_err(|error| corrupt(error.0))?;
            *place.0 = Some(key);
        }
        Ok(keys)
    }
}
