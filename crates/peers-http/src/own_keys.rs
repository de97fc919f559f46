//! This server's own keys, as it knows and publishes them.

use std::{sync::Arc, time::Duration};

use parvis_ambient::Timestamp;
use parvis_events::{
    FormatError, ServerKey,
    canonical::{CanonicalJsonObject, parse_object, to_text},
};
use parvis_peers::VerifyKey;
use parvis_storage::{StorageError, Store};
use ruma::OwnedServerName;
use serde_json::{Map, Value, json};

/// For how long others may keep what is published before they ask again.
const LIFETIME: Duration = Duration::from_secs(24 * 3_600);

/// A key that this server signs with no more.
#[derive(Clone, Debug)]
struct Retired {
    key_id: String,
    public_key: String,
    expired_ts: i64,
}

/// The keys of this server.
#[derive(Clone, Debug)]
pub(crate) struct OwnKeys {
    pub(crate) server: OwnedServerName,
    key: Arc<ServerKey>,
    retired: Vec<Retired>,
}

impl OwnKeys {
    /// The present key, and those in the store that came before it.
    pub(crate) async fn load(
        server: OwnedServerName,
        key: Arc<ServerKey>,
        store: &Store,
    ) -> Result<Self, StorageError> {
        let stored = store.all_server_keys().await?;
        let mut retired = Vec::new();
        // Each ended when the next newer one began; they come newest first.
        for (newer, older) in stored.iter().zip(stored.iter().skip(1)) {
            let version = older.key_id.strip_prefix("ed25519:").unwrap_or(&older.key_id);
            match ServerKey::from_bytes(&older.secret, version) {
                Ok(old) if old.key_id() != key.key_id() => retired.push(Retired {
                    key_id: old.key_id().to_owned(),
                    public_key: old.public_key_base64(),
                    expired_ts: newer.created_ts,
                }),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(key_id = older.key_id, %error, "an old signing key cannot be read")
                }
            }
        }
        Ok(Self { server, key, retired })
    }

    /// One of these keys.
    pub(crate) fn get(&self, key_id: &str) -> Option<VerifyKey> {
        if key_id == self.key.key_id() {
            let public_key = self.key.public_key_base64();
            return Some(VerifyKey { public_key, valid_until_ts: i64::MAX, retired: false });
        }
        let old = self.retired.iter().find(|old| old.key_id == key_id)?;
        let public_key = old.public_key.clone();
        Some(VerifyKey { public_key, valid_until_ts: old.expired_ts, retired: true })
    }

    /// The document that publishes them, signed.
    pub(crate) fn document(&self, now: Timestamp) -> Result<String, FormatError> {
        let old: Map<String, Value> = self
            .retired
            .iter()
            .map(|old| (old.key_id.clone(), json!({ "key": old.public_key, "expired_ts": old.expired_ts })))
            .collect();
        let document = json!({
            "server_name": self.server,
            "verify_keys": { self.key.key_id(): { "key": self.key.public_key_base64() } },
            "old_verify_keys": old,
            "valid_until_ts": now.plus(LIFETIME).millis(),
        });
        self.sign(parse_object(document.to_string().as_bytes())?)
    }

    /// A document with this server's signature beside those that it has.
    pub(crate) fn sign(&self, mut document: CanonicalJsonObject) -> Result<String, FormatError> {
        self.key.sign_json(&mut document, &self.server)?;
        Ok(to_text(&document))
    }
}
