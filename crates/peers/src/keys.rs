//! The keys that other servers sign with.
//! <https://spec.matrix.org/v1.19/server-server-api/#retrieving-server-keys>

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use async_trait::async_trait;
use parvis_events::{PublicKeys, SignatureError, SignedPdu, WellFormedPdu};
use ruma::{OwnedServerName, ServerName};

/// The keys that somebody needs: per server and key id, the time in milliseconds since the Unix epoch at which
/// the key must have been good.
pub type WantedKeys = BTreeMap<OwnedServerName, BTreeMap<String, i64>>;

/// What somebody wants of one server's keys. Times are in milliseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeysWanted {
    /// Key ids, and until when each should be good.
    pub named: BTreeMap<String, i64>,
    /// Where none is named, all are wanted, and one that is good until then.
    pub until_ts: i64,
}

/// What somebody asks a notary for, by server.
pub type KeyQuery = BTreeMap<OwnedServerName, KeysWanted>;

/// Another server's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyKey {
    /// The public key, in unpadded base64.
    pub public_key: String,
    /// Until when it is good, in milliseconds since the Unix epoch. For a key that its server has retired, when
    /// that was.
    pub valid_until_ts: i64,
    /// Whether its server has retired it: it may have signed old events, and signs no requests any more.
    pub retired: bool,
}

/// Knows the keys of other servers, and this one's own.
#[async_trait]
pub trait ServerKeys: Send + Sync + fmt::Debug {
    /// Those of the wanted keys that can be had, from memory, from their servers or from notaries. A key that was
    /// good at some time is given though it is not good at the time wanted; see [`KeyBook::usable_for`].
    async fn keys(&self, wanted: &WantedKeys) -> KeyBook;

    /// A key that is good now, with which a server may sign a request.
    async fn key_for_request(&self, server: &ServerName, key_id: &str) -> Option<VerifyKey>;
}

/// Keys of servers, by name and key id.
#[derive(Clone, Debug, Default)]
pub struct KeyBook(HashMap<OwnedServerName, HashMap<String, VerifyKey>>);

impl KeyBook {
    /// Notes a key.
    pub fn insert(&mut self, server: &ServerName, key_id: &str, key: VerifyKey) {
        self.0.entry(server.to_owned()).or_default().insert(key_id.to_owned(), key);
    }

    /// A key.
    pub fn get(&self, server: &ServerName, key_id: &str) -> Option<&VerifyKey> {
        self.0.get(server)?.get(key_id)
    }

    /// The keys that may vouch for an event. In room versions that say so, a key counts only for events from
    /// before its end.
    pub fn usable_for(&self, event: &WellFormedPdu) -> PublicKeys {
        let mut keys = PublicKeys::new();
        for server in event.required_signers().into_iter().flatten() {
            for key_id in event.key_ids_of(&server) {
                let Some(key) = self.get(&server, key_id) else { continue };
                let in_time = key.valid_until_ts >= event.origin_server_ts();
                if in_time || !event.version().enforces_key_validity() {
                    keys.insert(&server, key_id, &key.public_key);
                }
            }
        }
        keys
    }
}

/// The keys that are needed to check the signatures of events.
pub fn wanted_keys(events: &[WellFormedPdu]) -> WantedKeys {
    let mut wanted = WantedKeys::new();
    events.iter().for_each(|event| want_keys(&mut wanted, event));
    wanted
}

/// Adds the keys that are needed to check the signatures of an event.
pub fn want_keys(wanted: &mut WantedKeys, event: &WellFormedPdu) {
    for server in event.required_signers().into_iter().flatten() {
        for key_id in event.key_ids_of(&server) {
            let of_server = wanted.entry(server.clone()).or_default();
            let at = of_server.entry(key_id.to_owned()).or_insert(i64::MIN);
            *at = (*at).max(event.origin_server_ts());
        }
    }
}

/// Checks the signatures and hashes of events, fetching all the keys that they need at once.
pub async fn verify_events(
    events: Vec<WellFormedPdu>,
    keys: &dyn ServerKeys,
) -> Vec<Result<SignedPdu, SignatureError>> {
    let book = keys.keys(&wanted_keys(&events)).await;
    events
        .into_iter()
        .map(|event| {
            let usable = book.usable_for(&event);
            event.verify(&usable)
        })
        .collect()
}

/// Knows no keys: for a homeserver without a network.
#[derive(Clone, Copy, Debug)]
pub struct NoKeys;

#[async_trait]
impl ServerKeys for NoKeys {
    async fn keys(&self, _: &WantedKeys) -> KeyBook {
        KeyBook::default()
    }

    async fn key_for_request(&self, _: &ServerName, _: &str) -> Option<VerifyKey> {
        None
    }
}
