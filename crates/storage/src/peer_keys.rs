//! The keys of other servers, each with the document in which it was last published.

use crate::{error::StorageError, statement::statements, store::Store, write_set::WriteSet};

statements! {
    PUT_PEER_KEY(rows of 7, key 2) =
        "INSERT INTO peer_keys (server_name, key_id, public_key, valid_until_ts, retired, document, fetched_ts)
         VALUES {rows}
         ON CONFLICT (server_name, key_id) DO UPDATE SET public_key = excluded.public_key,
             valid_until_ts = excluded.valid_until_ts, retired = excluded.retired, document = excluded.document,
             fetched_ts = excluded.fetched_ts";
    PEER_KEYS(list after 0) =
        "SELECT server_name, key_id, public_key, valid_until_ts, retired, fetched_ts FROM peer_keys
         WHERE server_name IN ({list})";
    PEER_KEY_DOCUMENTS = "SELECT key_id, document FROM peer_keys WHERE server_name = $1 ORDER BY fetched_ts DESC, key_id";
    ALL_SERVER_KEYS = "SELECT key_id, secret, created_ts FROM server_keys ORDER BY created_ts DESC";
}

/// A key of another server. Times are in milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerKey {
    /// Whose.
    pub server_name: String,
    /// Its id, such as `ed25519:a1`.
    pub key_id: String,
    /// The public key, in unpadded base64.
    pub public_key: String,
    /// Until when it is good; for a retired key, when it was retired.
    pub valid_until_ts: i64,
    /// Whether its server signs with it no more.
    pub retired: bool,
    /// When it was last seen published.
    pub fetched_ts: i64,
}

/// A signing key of this server.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredServerKey {
    /// Its id, such as `ed25519:a1`.
    pub key_id: String,
    /// The secret.
    pub secret: Vec<u8>,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_ts: i64,
}

impl std::fmt::Debug for StoredServerKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StoredServerKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl WriteSet {
    /// Keeps a key of another server, with the signed document that publishes it, as it came.
    pub fn put_peer_key(&mut self, key: &PeerKey, document: &[u8]) {
        let values = vec![
            key.server_name.as_str().into(),
            key.key_id.as_str().into(),
            key.public_key.as_str().into(),
            key.valid_until_ts.into(),
            key.retired.into(),
            document.into(),
            key.fetched_ts.into(),
        ];
        self.write(&PUT_PEER_KEY, values);
    }
}

impl Store {
    /// The known keys of other servers.
    pub async fn peer_keys(&self, server_names: &[String]) -> Result<Vec<PeerKey>, StorageError> {
        let rows = self.engine.fetch_list(&PEER_KEYS, Vec::new(), server_names.to_vec()).await?;
        let keys = rows.iter().map(|row| {
            Ok(PeerKey {
                server_name: row.text(0)?,
                key_id: row.text(1)?,
                public_key: row.text(2)?,
                valid_until_ts: row.int(3)?,
                retired: row.bool(4)?,
                fetched_ts: row.int(5)?,
            })
        });
        keys.collect()
    }

    /// The documents that publish another server's keys: a key id and the newest document that names it, the
    /// newest document first.
    pub async fn peer_key_documents(
        &self,
        server_name: &str,
    ) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        let rows = self.engine.fetch(&PEER_KEY_DOCUMENTS, vec![server_name.into()]).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.bytes(1)?))).collect()
    }

    /// All signing keys that this server has had, the present one first.
    pub async fn all_server_keys(&self) -> Result<Vec<StoredServerKey>, StorageError> {
        let rows = self.engine.fetch(&ALL_SERVER_KEYS, Vec::new()).await?;
        let key = |row: &crate::value::Row| {
            Ok(StoredServerKey { key_id: row.text(0)?, secret: row.bytes(1)?, created_ts: row.int(2)? })
        };
        rows.iter().map(key).collect()
    }
}
