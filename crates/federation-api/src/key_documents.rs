//! The keys that this server publishes: its own, and those of others that it vouches for as a notary.
//! <https://spec.matrix.org/v1.19/server-server-api/#retrieving-server-keys>

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use parvis_ambient::Ambient;
use parvis_events::{
    FormatError, ServerKey,
    canonical::{parse_object, to_text},
};
use parvis_peers::KeyQuery;
use ruma::{OwnedServerName, ServerName};
use serde_json::json;

/// For how long others may keep the document before they ask again.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Knows the documents in which servers publish their keys, as JSON texts.
#[async_trait]
pub trait KeyDocuments: Send + Sync + fmt::Debug {
    /// This server's, signed by it.
    ///
    /// # Errors
    /// What is wrong, for the log.
    async fn own(&self) -> Result<String, String>;

    /// Those of other servers that can be had, signed by them and by this server. Servers of which nothing is
    /// known are left out.
    async fn of_others(&self, query: &KeyQuery) -> Vec<String>;
}

/// Publishes one key and knows of nobody else's.
#[derive(Clone, Debug)]
pub struct OwnKey {
    /// This server.
    pub server_name: OwnedServerName,
    /// Its key.
    pub key: Arc<ServerKey>,
    /// What time it is.
    pub ambient: Ambient,
}

impl OwnKey {
    fn document(&self) -> Result<String, FormatError> {
        let valid_until_ts = self.ambient.now().plus(LIFETIME).millis();
        let document = json!({
            "server_name": self.server_name,
            "verify_keys": { self.key.key_id(): { "key": self.key.public_key_base64() } },
            "old_verify_keys": {},
            "valid_until_ts": valid_until_ts,
        });
        let mut object = parse_object(document.to_string().as_bytes())?;
        self.key.sign_json(&mut object, &self.server_name)?;
        Ok(to_text(&object))
    }
}

#[async_trait]
impl KeyDocuments for OwnKey {
    async fn own(&self) -> Result<String, String> {
        self.document().map_err(|error| error.to_string())
    }

    async fn of_others(&self, query: &KeyQuery) -> Vec<String> {
        let ours: &ServerName = &self.server_name;
        if query.contains_key(ours) { self.document().into_iter().collect() } else { Vec::new() }
    }
}
