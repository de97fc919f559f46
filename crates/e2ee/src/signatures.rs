//! Signatures on keys that are there already
//! (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keyssignaturesupload>).
//!
//! A user signs devices of their own with the self-signing key, the master key with devices, and master keys of
//! others with the user-signing key. Anything else is refused, key by key.

use std::collections::BTreeMap;

use parvis_storage::{StorageError, UserSn, WriteSet};
use ruma::{DeviceId, OwnedUserId, UserId};
use serde_json::value::RawValue;

use crate::{
    cross_signing::CrossKeys,
    engine::{Caller, E2ee},
    error::plain,
    key_object::KeyObject,
};

/// Why a signature is not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFailure {
    /// It cannot be read.
    #[error("this is no key: {0}")]
    Unreadable(String),
    /// There is no such key, or one that is not signed so.
    #[error("there is no such key to sign")]
    UnknownKey,
    /// What is signed is not the key that is there.
    #[error("the signed key is not the one that is known")]
    OtherKey,
    /// No signature on it is good.
    #[error("no signature is good")]
    BadSignature,
}

/// The keys whose signatures are not kept, by owner and name.
pub type SignatureFailures = BTreeMap<OwnedUserId, BTreeMap<String, SignatureFailure>>;

/// A key that was signed, and with what it may be.
struct Target {
    /// Under what signatures on it are kept.
    id: String,
    known: KeyObject,
    /// Names and public keys of those who may sign.
    signers: Vec<(String, String)>,
}

/// A signature that was checked.
struct Good {
    target: UserSn,
    target_id: String,
    key_id: String,
    signature: String,
}

impl E2ee {
    /// Keeps the signatures that a user has made on keys: their own and those of others. Gives those that are not
    /// good.
    ///
    /// # Errors
    /// If the store fails; nothing was kept then.
    pub async fn upload_signatures(
        &self,
        caller: &Caller,
        signed: &BTreeMap<OwnedUserId, BTreeMap<String, Box<RawValue>>>,
    ) -> Result<SignatureFailures, StorageError> {
        let own = self.cross_keys(caller.user, &caller.user_id).await?;
        let mut failures = SignatureFailures::new();
        let mut set = WriteSet::new();
        let mut own_devices = Vec::new();
        for (user_id, keys) in signed {
            for (name, json) in keys {
                match self.check_signed(caller, &own, user_id, name, json).await? {
                    Ok(signatures) => {
                        let is_own = *user_id == caller.user_id;
                        own_devices.extend(is_own.then_some(name.as_str()));
                        keep(&mut set, caller, signatures);
                    }
                    Err(failure) => {
                        failures.entry(user_id.clone()).or_default().insert(name.clone(), failure);
                    }
                }
            }
        }
        for name in own_devices {
            let device_id: &DeviceId = name.into();
            let is_device = self.store.device(caller.user, device_id).await?.is_some();
            set.change_devices(caller.user, is_device.then_some(device_id));
        }
        if !set.is_empty() {
            self.store.commit(set).await.map_err(plain)?;
        }
        Ok(failures)
    }

    async fn check_signed(
        &self,
        caller: &Caller,
        own: &CrossKeys,
        user_id: &UserId,
        name: &str,
        json: &RawValue,
    ) -> Result<Result<Vec<Good>, SignatureFailure>, StorageError> {
        let signed = match KeyObject::parse(json) {
            Ok(signed) => signed,
            Err(error) => return Ok(Err(SignatureFailure::Unreadable(error.0))),
        };
        let Some(user) = self.store.find_user(user_id).await? else {
            return Ok(Err(SignatureFailure::UnknownKey));
        };
        let target = if user == caller.user {
            self.own_target(caller, own, name).await?
        } else {
            self.target_of_other(own, user, user_id, name).await?
        };
        let Some(target) = target else { return Ok(Err(SignatureFailure::UnknownKey)) };
        if !target.known.is_same_key(&signed) {
            return Ok(Err(SignatureFailure::OtherKey));
        }
        let mut good = Vec::new();
        for (key_id, signature) in signed.signatures_of(&caller.user_id) {
            let signer = target.signers.iter().find(|(name, _)| name == key_id);
            if signer.is_some_and(|(_, public_key)| target.known.is_signed(signature, public_key)) {
                let (target_id, key_id) = (target.id.clone(), key_id.to_owned());
                good.push(Good { target: user, target_id, key_id, signature: signature.to_owned() });
            }
        }
        Ok(if good.is_empty() { Err(SignatureFailure::BadSignature) } else { Ok(good) })
    }

    /// A key of the caller: a device, which the self-signing key signs, or the master key, which devices sign.
    async fn own_target(
        &self,
        caller: &Caller,
        own: &CrossKeys,
        name: &str,
    ) -> Result<Option<Target>, StorageError> {
        if let Some(master) = own.master.as_ref().filter(|master| master.public_key == name) {
            let devices = self.store.device_keys(&[caller.user]).await?;
            let signers = devices.iter().filter_map(|device| {
                let key_id = format!("ed25519:{}", device.device_id);
                let key = KeyObject::from_text(&device.keys).ok()?.public_key(&key_id)?.to_owned();
                Some((key_id, key))
            });
            let signers = signers.collect();
            return Ok(Some(Target { id: name.to_owned(), known: master.object.clone(), signers }));
        }
        let Some(device) = self.store.device_keys_of(caller.user, name.into()).await? else {
            return Ok(None);
        };
        let Ok(known) = KeyObject::from_text(&device.keys) else { return Ok(None) };
        let signers = own.self_signing.iter().map(|key| (key.key_id(), key.public_key.clone())).collect();
        Ok(Some(Target { id: name.to_owned(), known, signers }))
    }

    /// The master key of somebody else, which the user-signing key signs.
    async fn target_of_other(
        &self,
        own: &CrossKeys,
        user: UserSn,
        user_id: &UserId,
        name: &str,
    ) -> Result<Option<Target>, StorageError> {
        let theirs = self.cross_keys(user, user_id).await?;
        let Some(master) = theirs.master.filter(|master| master.public_key == name) else { return Ok(None) };
        let signers = own.user_signing.iter().map(|key| (key.key_id(), key.public_key.clone())).collect();
        Ok(Some(Target { id: name.to_owned(), known: master.object, signers }))
    }
}

fn keep(set: &mut WriteSet, caller: &Caller, signatures: Vec<Good>) {
    for Good { target, target_id, key_id, signature } in signatures {
        set.put_key_signature(caller.user, target, &target_id, &key_id, &signature);
    }
}
