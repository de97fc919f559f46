//! Keys of devices and of users.

mod claim_keys;
mod get_key_changes;
mod get_keys;
mod upload_keys;
mod upload_signatures;
mod upload_signing_keys;

use std::collections::BTreeMap;

use parvis_events::{ServerKey, canonical::parse_object};
use serde_json::{Value, json};

use crate::world::{Client, World};

/// A key pair that signs JSON.
pub(crate) struct Signer {
    key: ServerKey,
}

impl Signer {
    pub(crate) fn new(seed: u8) -> Self {
        Self { key: ServerKey::generate([seed; 32], "1").unwrap() }
    }

    pub(crate) fn public(&self) -> String {
        self.key.public_key_base64()
    }

    /// Puts this key's signature on an object, in the name of a user.
    pub(crate) fn sign(&self, mut object: Value, user_id: &str, name: &str) -> Value {
        let text = parse_object(object.to_string().as_bytes()).unwrap();
        let text = ruma::signatures::to_canonical_json_string_for_signing(&text).unwrap();
        let signature = self.key.sign_bytes(text.as_bytes());
        object["signatures"][user_id][format!("ed25519:{name}")] = json!(signature);
        object
    }

    /// A key for cross-signing, without signatures.
    pub(crate) fn cross_key(&self, user_id: &str, usage: &str) -> Value {
        let key = self.public();
        json!({ "user_id": user_id, "usage": [usage], "keys": { (format!("ed25519:{key}")): key } })
    }
}

/// The identity keys of a client's device, signed by the device.
pub(crate) fn device_keys(client: &Client, signer: &Signer) -> Value {
    let device = &client.device_id;
    let keys = json!({
        "user_id": client.user_id,
        "device_id": device,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": {
            (format!("curve25519:{device}")): "curve",
            (format!("ed25519:{device}")): signer.public(),
        },
    });
    signer.sign(keys, &client.user_id, device)
}

/// One-time keys with these ids.
pub(crate) fn one_time_keys(
    ids: impl IntoIterator<Item = impl std::fmt::Display>,
) -> BTreeMap<String, Value> {
    let key = |id: String| {
        (format!("signed_curve25519:{id}"), json!({ "key": format!("k{id}"), "signatures": {} }))
    };
    ids.into_iter().map(|id| key(id.to_string())).collect()
}

impl World {
    /// Uploads identity keys for a device, and gives them.
    pub(crate) async fn upload_device_keys(&self, client: &Client, signer: &Signer) -> Value {
        let keys = device_keys(client, signer);
        self.post_as(client, "v3/keys/upload", json!({ "device_keys": keys })).await.ok();
        keys
    }

    /// Uploads keys for cross-signing whose key pairs have these seeds, and gives them.
    pub(crate) async fn upload_cross_keys(&self, client: &Client, seeds: [u8; 3]) -> Value {
        let keys = cross_keys(client, seeds);
        self.post_as(client, "v3/keys/device_signing/upload", keys.clone()).await.ok();
        keys
    }

    /// The keys of users as somebody sees them.
    pub(crate) async fn query(&self, client: &Client, users: &[&Client]) -> Value {
        let users: BTreeMap<&str, [&str; 0]> = users.iter().map(|user| (user.user_id.as_str(), [])).collect();
        self.post_as(client, "v3/keys/query", json!({ "device_keys": users })).await.ok()
    }

    /// A sync that does not wait, from where the last one ended.
    pub(crate) async fn sync(&self, client: &Client, since: &str) -> Value {
        let since = if since.is_empty() { String::new() } else { format!("?since={since}") };
        self.get_as(client, &format!("v3/sync{since}")).await.ok()
    }
}

/// Keys for cross-signing whose key pairs have these seeds: master, self-signing, user-signing.
pub(crate) fn cross_keys(client: &Client, [master, own, others]: [u8; 3]) -> Value {
    let user_id = client.user_id.as_str();
    let master = Signer::new(master);
    let signed =
        |seed, usage| master.sign(Signer::new(seed).cross_key(user_id, usage), user_id, &master.public());
    json!({
        "master_key": master.cross_key(user_id, "master"),
        "self_signing_key": signed(own, "self_signing"),
        "user_signing_key": signed(others, "user_signing"),
    })
}

/// Where a sync ended.
pub(crate) fn next(sync: &Value) -> String {
    sync["next_batch"].as_str().unwrap().to_owned()
}
