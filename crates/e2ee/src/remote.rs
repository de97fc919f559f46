//! Asking other servers for keys of their users
//! (<https://spec.matrix.org/v1.19/server-server-api/#end-to-end-encryption>).
//!
//! All servers are asked at once, each for at most as long as the client waits. What they say of users who are not
//! theirs is not heard.

use std::{collections::BTreeMap, future::Future, time::Duration};

use futures_util::{StreamExt as _, stream};
use parvis_peers::{Limits, PeerError};
use parvis_storage::{KeySignature, StorageError};
use ruma::{
    OwnedServerName, OwnedUserId, ServerName, UserId,
    api::federation::keys::{claim_keys, get_keys},
    serde::Raw,
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    claim::{Claimed, Claims},
    engine::E2ee,
    key_object::KeyObject,
    query::{Keys, Viewer, Wanted},
};

/// How many servers are asked at a time.
const AT_ONCE: usize = 64;
/// The largest answer, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// What users are asked for, by their servers.
fn by_server<T>(users: BTreeMap<OwnedUserId, T>) -> BTreeMap<OwnedServerName, BTreeMap<OwnedUserId, T>> {
    let mut servers: BTreeMap<OwnedServerName, BTreeMap<OwnedUserId, T>> = BTreeMap::new();
    for (user_id, wanted) in users {
        servers.entry(user_id.server_name().to_owned()).or_default().insert(user_id, wanted);
    }
    servers
}

fn failure(error: &PeerError) -> Value {
    let status = error.status().map_or(503, |status| status.as_u16());
    json!({ "status": status, "message": error.to_string() })
}

impl E2ee {
    /// Asks a server, but does not wait longer than this.
    async fn ask<T>(
        &self,
        server: &ServerName,
        timeout: Duration,
        question: impl Future<Output = Result<T, PeerError>>,
    ) -> Result<T, PeerError> {
        tokio::select! {
            biased;
            answer = question => answer,
            () = self.ambient.clock.sleep(timeout) => Err(PeerError::Timeout(server.to_string())),
        }
    }

    /// Asks other servers for the keys of their users, and adds what they say.
    pub(crate) async fn ask_for_keys(
        &self,
        wanted: Wanted,
        timeout: Duration,
        viewer: Viewer<'_>,
        keys: &mut Keys,
    ) -> Result<(), StorageError> {
        let limits = Limits { timeout, max_bytes: MAX_BYTES, despite_back_off: false };
        let questions = by_server(wanted).into_iter().map(|(server, users)| async move {
            let request = get_keys::v1::Request::new(users.clone());
            let question = self.federation.call(&server, request, limits);
            let answer = self.ask(&server, timeout, question).await;
            (server, users, answer)
        });
        let answers: Vec<_> = stream::iter(questions).buffer_unordered(AT_ONCE).collect().await;
        for (server, users, answer) in answers {
            match answer {
                Ok(answer) => self.hear_keys(users, answer, viewer, keys).await?,
                Err(error) => {
                    tracing::debug!(%server, %error, "a server does not tell the keys of its users");
                    keys.failures.insert(server.to_string(), failure(&error));
                }
            }
        }
        Ok(())
    }

    /// Adds what a server says of the users that it was asked for.
    async fn hear_keys(
        &self,
        users: Wanted,
        mut answer: get_keys::v1::Response,
        viewer: Viewer<'_>,
        keys: &mut Keys,
    ) -> Result<(), StorageError> {
        for user_id in users.into_keys() {
            let heard = answer.device_keys.remove(&user_id).unwrap_or_default();
            let devices = heard
                .into_iter()
                .filter_map(|(device_id, key)| Some((device_id, device_key(&user_id, &key)?.into_json())));
            keys.device_keys.insert(user_id.clone(), devices.collect());
            let signatures = self.own_signatures(&user_id, viewer).await?;
            if let Some(key) =
                answer.master_keys.remove(&user_id).as_ref().and_then(|key| owned(&user_id, key))
            {
                keys.master_keys.insert(user_id.clone(), signed(key, &signatures).into_json());
            }
            if let Some(key) =
                answer.self_signing_keys.remove(&user_id).as_ref().and_then(|key| owned(&user_id, key))
            {
                keys.self_signing_keys.insert(user_id.clone(), key.into_json());
            }
            self.begin_to_follow(&user_id).await?;
        }
        Ok(())
    }

    /// The signatures that the viewer has made on keys of a user of another server.
    async fn own_signatures(
        &self,
        user_id: &UserId,
        viewer: Viewer<'_>,
    ) -> Result<Vec<KeySignature>, StorageError> {
        let Viewer::User(viewer, _) = viewer else { return Ok(Vec::new()) };
        match self.store.find_user(user_id).await? {
            Some(user) => self.store.key_signatures(&[user], Some(viewer)).await,
            None => Ok(Vec::new()),
        }
    }

    /// Takes one-time keys of users of other servers.
    pub(crate) async fn claim_elsewhere(&self, claims: Claims, timeout: Duration, claimed: &mut Claimed) {
        let limits = Limits { timeout, max_bytes: MAX_BYTES, despite_back_off: false };
        let questions = by_server(claims).into_iter().map(|(server, users)| async move {
            let asked = users.iter().map(|(user_id, devices)| {
                let devices = devices.iter();
                let devices = devices.map(|(device, algorithm)| (device.clone(), algorithm.as_str().into()));
                (user_id.clone(), devices.collect())
            });
            let request = claim_keys::v1::Request::new(asked.collect());
            let question = self.federation.call(&server, request, limits);
            let answer = self.ask(&server, timeout, question).await;
            (server, users, answer)
        });
        let answers: Vec<_> = stream::iter(questions).buffer_unordered(AT_ONCE).collect().await;
        for (server, users, answer) in answers {
            match answer {
                Ok(answer) => hear_claimed(&users, answer, claimed),
                Err(error) => {
                    tracing::debug!(%server, %error, "a server does not give keys of its users");
                    claimed.failures.insert(server.to_string(), failure(&error));
                }
            }
        }
    }
}

fn hear_claimed(users: &Claims, answer: claim_keys::v1::Response, claimed: &mut Claimed) {
    for (user_id, devices) in answer.one_time_keys {
        let Some(asked) = users.get(&user_id) else { continue };
        for (device_id, keys) in devices {
            if !asked.contains_key(&device_id) || keys.is_empty() {
                continue;
            }
            let keys = keys.into_iter().map(|(name, key)| (name.to_string(), key.into_json()));
            claimed.keys.entry(user_id.clone()).or_default().insert(device_id, keys.collect());
        }
    }
}

/// A key of a user of another server, with their own signatures only.
fn owned<T>(user_id: &UserId, key: &Raw<T>) -> Option<KeyObject> {
    owned_json(user_id, key.json())
}

/// As [`owned`], of JSON.
pub(crate) fn owned_json(user_id: &UserId, key: &RawValue) -> Option<KeyObject> {
    let mut key = KeyObject::parse(key).ok()?;
    key.keep_signatures_of(user_id).ok()?;
    (key.text_field("user_id") == Some(user_id.as_str())).then_some(key)
}

/// The keys of a device of another server, with what people call it.
fn device_key<T>(user_id: &UserId, key: &Raw<T>) -> Option<KeyObject> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(default)]
        unsigned: Unsigned,
    }
    #[derive(Default, Deserialize)]
    struct Unsigned {
        device_display_name: Option<String>,
    }
    let mut object = owned(user_id, key)?;
    let named = key.deserialize_as_unchecked::<Named>().ok();
    if let Some(name) = named.and_then(|named| named.unsigned.device_display_name) {
        object.set_display_name(&name);
    }
    Some(object)
}

/// A master key with the signatures on it.
fn signed(mut key: KeyObject, signatures: &[KeySignature]) -> KeyObject {
    let public = key.public_keys().next().map(|(_, key)| key.to_owned()).unwrap_or_default();
    for signature in signatures.iter().filter(|signature| signature.target_id == public) {
        key.add_signature(&signature.signer, &signature.key_id, &signature.signature);
    }
    key
}
