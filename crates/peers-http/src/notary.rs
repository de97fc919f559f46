//! What this server publishes of keys: its own, and those of others that it vouches for.
//! <https://spec.matrix.org/v1.19/server-server-api/#querying-keys-through-another-server>

use std::time::Duration;

use futures_util::{StreamExt, stream};
use parvis_ambient::Timestamp;
use parvis_events::FormatError;
use parvis_peers::{KeyQuery, KeysWanted, Limits};
use ruma::OwnedServerName;

use crate::{key_document::KeyDocument, key_ring::KeyRing, known_keys::KnownKeys};

/// Somebody waits for the answer, and may ask about many servers.
const ASK_SERVER: Limits =
    Limits { timeout: Duration::from_secs(6), max_bytes: 64 << 10, despite_back_off: false };
const ASKED_AT_A_TIME: usize = 16;

/// Whether what is known is as good as what is wanted.
fn are_known(wanted: &KeysWanted, known: &KnownKeys) -> bool {
    if wanted.named.is_empty() {
        return known.all().any(|(_, key)| !key.retired && key.valid_until_ts >= wanted.until_ts);
    }
    wanted.named.iter().all(|(key_id, until_ts)| {
        known.get(key_id).is_some_and(|key| key.retired || key.valid_until_ts >= *until_ts)
    })
}

impl KeyRing {
    /// This server's own keys as it publishes them, signed.
    ///
    /// # Errors
    /// If they cannot be put into canonical JSON, which no input can cause.
    pub fn published(&self) -> Result<String, FormatError> {
        self.own.document(self.ambient.now())
    }

    /// The documents in which servers have published their keys, countersigned by this one: as good as was asked
    /// for where that can be had, else the last that are known. Of a server of which nothing is known, none.
    pub async fn vouch(&self, wanted: &KeyQuery) -> Vec<String> {
        let answers = wanted.iter().map(|(server, keys)| self.vouch_for(server, keys));
        let answers = stream::iter(answers.collect::<Vec<_>>()).buffered(ASKED_AT_A_TIME);
        answers.map(stream::iter).flatten().collect().await
    }

    async fn vouch_for(&self, server: &OwnedServerName, wanted: &KeysWanted) -> Vec<String> {
        if *server == self.own.server {
            return self.published().into_iter().collect();
        }
        self.ask_server(server, ASK_SERVER, |known: &KnownKeys, _: Timestamp| are_known(wanted, known)).await;
        let stored = match self.store.peer_key_documents(server.as_str()).await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::error!(%error, "documents of other servers' keys cannot be read");
                return Vec::new();
            }
        };
        let mut texts: Vec<Vec<u8>> = Vec::new();
        for (key_id, text) in stored {
            let is_wanted = wanted.named.is_empty() || wanted.named.contains_key(&key_id);
            if is_wanted && !texts.contains(&text) {
                texts.push(text);
            }
        }
        let countersigned = |text: &Vec<u8>| self.own.sign(KeyDocument::read(text).ok()?.into_object()).ok();
        texts.iter().filter_map(countersigned).collect()
    }
}
