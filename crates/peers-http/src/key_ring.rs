//! The keys of other servers: in memory, in the store, from the servers themselves, and from notaries.
//!
//! A server is asked itself first, since that needs nobody's trust; then those notaries that the operator trusts.
//! Many who need the same server's keys cause one question; a server that has just been asked is not asked again,
//! whoever makes up key ids.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use parvis_ambient::{Ambient, Timestamp};
use parvis_cache::Cache;
use parvis_events::ServerKey;
use parvis_peers::{Federation, KeyBook, Limits, PeerError, ServerKeys, VerifyKey, WantedKeys};
use parvis_storage::{StorageError, Store, WriteSet};
use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedServerName, OwnedServerSigningKeyId, ServerName, UInt,
    api::federation::discovery::{
        get_remote_server_keys_batch::v2::{QueryCriteria, Request as QueryRequest},
        get_server_keys::v2::Request as KeysRequest,
    },
};

use crate::{
    key_document::KeyDocument,
    known_keys::{KnownKeys, Source},
    one_at_a_time::OneAtATime,
    own_keys::OwnKeys,
};

const MAX_DOCUMENT_BYTES: usize = 64 << 10;
const MAX_ANSWER_BYTES: usize = 4 << 20;
const ASK_SERVER: Limits =
    Limits { timeout: Duration::from_secs(10), max_bytes: MAX_DOCUMENT_BYTES, despite_back_off: false };
const ASK_NOTARY: Limits =
    Limits { timeout: Duration::from_secs(20), max_bytes: MAX_ANSWER_BYTES, despite_back_off: false };
/// How many servers are asked at a time for one need, and how many a notary is asked about at once.
const ASKED_AT_A_TIME: usize = 32;
const ASKED_OF_A_NOTARY: usize = 50;
const MOST_REMEMBERED: u64 = 20_000;

/// Key ids, each with the time at which the key must have been good.
type Wanted = BTreeMap<String, i64>;

/// Knows keys. All that a process does for one organisation shares one.
#[derive(Debug)]
pub struct KeyRing {
    pub(crate) own: OwnKeys,
    federation: Federation,
    notaries: Vec<OwnedServerName>,
    pub(crate) store: Store,
    pub(crate) ambient: Ambient,
    memory: Cache<OwnedServerName, KnownKeys>,
    asking: OneAtATime<OwnedServerName>,
}

impl KeyRing {
    /// A key ring of the server that `federation` speaks for, which signs with `key`. The notaries are believed.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn open(
        federation: Federation,
        key: Arc<ServerKey>,
        notaries: Vec<OwnedServerName>,
        store: Store,
        ambient: Ambient,
    ) -> Result<Self, StorageError> {
        let own = OwnKeys::load(federation.origin().to_owned(), key, &store).await?;
        let memory = Cache::new(MOST_REMEMBERED);
        let notaries = notaries.into_iter().filter(|notary| *notary != own.server).collect();
        Ok(Self { own, federation, notaries, store, ambient, memory, asking: OneAtATime::default() })
    }

    /// What is known of servers' keys. Where the store does not answer, nothing.
    async fn known(&self, servers: &[OwnedServerName]) -> BTreeMap<OwnedServerName, KnownKeys> {
        let mut known = BTreeMap::new();
        let mut to_read = Vec::new();
        for server in servers {
            match self.memory.get(server) {
                Some(keys) => drop(known.insert(server.clone(), keys)),
                None => to_read.push(server.to_string()),
            }
        }
        if to_read.is_empty() {
            return known;
        }
        let stored = match self.store.peer_keys(&to_read).await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::error!(%error, "keys of other servers cannot be read");
                return known;
            }
        };
        let mut read: BTreeMap<String, KnownKeys> =
            to_read.into_iter().map(|server| (server, KnownKeys::default())).collect();
        for key in stored {
            read.entry(key.server_name.clone()).or_default().add_stored(key);
        }
        for server in servers {
            if let Some(keys) = read.remove(server.as_str()) {
                self.memory.insert(server.clone(), keys.clone());
                known.insert(server.clone(), keys);
            }
        }
        known
    }

    async fn known_of(&self, server: &OwnedServerName) -> KnownKeys {
        self.known(std::slice::from_ref(server)).await.remove(server).unwrap_or_default()
    }

    /// Takes over a document, and stores what is new in it.
    async fn learn(&self, known: &mut KnownKeys, document: &KeyDocument, text: &str, source: Source) {
        let changed = known.learn(document, source, self.ambient.now());
        let mut set = WriteSet::new();
        changed.iter().for_each(|key| set.put_peer_key(key, text.as_bytes()));
        if !set.is_empty()
            && let Err(error) = self.store.commit(set).await
        {
            tracing::error!(%error, server = %document.server, "keys of a server cannot be stored");
        }
    }

    /// Asks a server for its keys, unless somebody did so just now. `enough` says that what is known will do.
    pub(crate) async fn ask_server(
        &self,
        server: &OwnedServerName,
        limits: Limits,
        enough: impl Fn(&KnownKeys, Timestamp) -> bool,
    ) -> KnownKeys {
        let _turn = self.asking.turn(server).await;
        let mut known = self.known_of(server).await;
        let now = self.ambient.now();
        if enough(&known, now) || !known.may_ask(Source::Itself, now) {
            return known;
        }
        let answer = self.fetch(server, limits).await;
        known.asked(Source::Itself, answer.is_ok(), self.ambient.now());
        match answer {
            Ok((document, text)) => self.learn(&mut known, &document, &text, Source::Itself).await,
            Err(problem) => tracing::debug!(%server, problem, "a server's keys cannot be had from itself"),
        }
        self.memory.insert(server.clone(), known.clone());
        known
    }

    async fn fetch(&self, server: &ServerName, limits: Limits) -> Result<(KeyDocument, String), String> {
        let answer = self.federation.call(server, KeysRequest::new(), limits).await;
        let text = answer.map_err(|error: PeerError| error.to_string())?.server_key.json().get().to_owned();
        let document = KeyDocument::read(text.as_bytes())?;
        if document.server != server {
            return Err(format!("it publishes the keys of {}", document.server));
        }
        Ok((document, text))
    }

    /// Asks servers for those keys that are wanted and not known, many at a time; gives who still lacks some.
    async fn ask_servers(&self, wanted: &WantedKeys) -> WantedKeys {
        let known = self.known(&wanted.keys().cloned().collect::<Vec<_>>()).await;
        let now = self.ambient.now();
        let lacking = |server: &OwnedServerName, keys: &Wanted| {
            let known = known.get(server);
            !known.is_some_and(|known| keys.iter().all(|(key_id, at)| known.satisfies(key_id, *at, now)))
        };
        let asked = wanted.iter().filter(|(server, keys)| lacking(server, keys));
        let asking = asked.map(async |(server, keys)| {
            let enough = |known: &KnownKeys, now: Timestamp| {
                keys.iter().all(|(key_id, at)| known.satisfies(key_id, *at, now))
            };
            let known = self.ask_server(server, ASK_SERVER, enough).await;
            (!enough(&known, self.ambient.now())).then(|| (server.clone(), keys.clone()))
        });
        stream::iter(asking.collect::<Vec<_>>())
            .buffer_unordered(ASKED_AT_A_TIME)
            .filter_map(std::future::ready)
            .collect()
            .await
    }

    /// Asks the notaries, one after the other, for the keys that are wanted of servers.
    async fn ask_notaries(&self, mut wanted: WantedKeys) {
        for notary in &self.notaries {
            if wanted.is_empty() {
                return;
            }
            let servers: Vec<_> = wanted.iter().collect();
            for some in servers.chunks(ASKED_OF_A_NOTARY) {
                self.ask_notary(notary, some).await;
            }
            let known = self.known(&wanted.keys().cloned().collect::<Vec<_>>()).await;
            let now = self.ambient.now();
            wanted.retain(|server, keys| {
                let known = known.get(server);
                !keys.iter().all(|(key_id, at)| known.is_some_and(|known| known.satisfies(key_id, *at, now)))
            });
        }
        let now = self.ambient.now();
        for server in wanted.keys() {
            let _turn = self.asking.turn(server).await;
            let mut known = self.known_of(server).await;
            known.asked(Source::Notary, false, now);
            self.memory.insert(server.clone(), known);
        }
    }

    async fn ask_notary(&self, notary: &OwnedServerName, wanted: &[(&OwnedServerName, &Wanted)]) {
        let request = QueryRequest::new(wanted.iter().map(|(server, keys)| query(server, keys)).collect());
        let documents = match self.federation.call(notary, request, ASK_NOTARY).await {
            Ok(answer) => answer.server_keys,
            Err(error) => return tracing::warn!(%notary, %error, "a notary does not answer"),
        };
        let good = |known: &KnownKeys, now| known.all().any(|(id, _)| known.for_request(id, now).is_some());
        let of_notary = self.ask_server(notary, ASK_SERVER, good).await;
        for text in documents.iter().map(|document| document.json().get()) {
            let document = match KeyDocument::read(text.as_bytes()) {
                Ok(document) => document,
                Err(problem) => {
                    tracing::warn!(%notary, problem, "a notary's answer is refused");
                    continue;
                }
            };
            let asked_for = wanted.iter().any(|(server, _)| **server == document.server);
            if asked_for && self.is_vouched_for(&document, notary, &of_notary) {
                let _turn = self.asking.turn(&document.server).await;
                let mut known = self.known_of(&document.server).await;
                self.learn(&mut known, &document, text, Source::Notary).await;
                self.memory.insert(document.server.clone(), known);
            }
        }
    }

    /// Whether a notary has signed a document with a key that is good now.
    fn is_vouched_for(&self, document: &KeyDocument, notary: &ServerName, keys: &KnownKeys) -> bool {
        let now = self.ambient.now();
        let signed = document.signers(notary).any(|key_id| {
            let key = keys.for_request(key_id, now);
            key.is_some_and(|key| document.is_signed_by(notary, key_id, &key.public_key))
        });
        if !signed {
            tracing::warn!(%notary, server = %document.server, "a notary has not signed what it says");
        }
        signed
    }
}

/// A notary's question about one server.
fn query(
    server: &OwnedServerName,
    keys: &Wanted,
) -> (OwnedServerName, BTreeMap<OwnedServerSigningKeyId, QueryCriteria>) {
    let criteria = keys.iter().filter_map(|(key_id, at)| {
        let mut criteria = QueryCriteria::new();
        let at = UInt::new_saturating(u64::try_from(*at).unwrap_or(0));
        criteria.minimum_valid_until_ts = Some(MilliSecondsSinceUnixEpoch(at));
        Some((OwnedServerSigningKeyId::try_from(key_id.as_str()).ok()?, criteria))
    });
    (server.clone(), criteria.collect())
}

#[async_trait]
impl ServerKeys for KeyRing {
    async fn keys(&self, wanted: &WantedKeys) -> KeyBook {
        let mut of_others = wanted.clone();
        of_others.remove(&self.own.server);
        let mut lacking = self.ask_servers(&of_others).await;
        if !lacking.is_empty() && !self.notaries.is_empty() {
            let known = self.known(&lacking.keys().cloned().collect::<Vec<_>>()).await;
            let now = self.ambient.now();
            lacking
                .retain(|server, _| known.get(server).is_none_or(|known| known.may_ask(Source::Notary, now)));
            self.ask_notaries(lacking).await;
        }
        let known = self.known(&of_others.keys().cloned().collect::<Vec<_>>()).await;
        let mut book = KeyBook::default();
        for (server, keys) in wanted {
            for key_id in keys.keys() {
                let key = match *server == self.own.server {
                    true => self.own.get(key_id),
                    false => known.get(server).and_then(|known| known.get(key_id).cloned()),
                };
                if let Some(key) = key {
                    book.insert(server, key_id, key);
                }
            }
        }
        book
    }

    async fn key_for_request(&self, server: &ServerName, key_id: &str) -> Option<VerifyKey> {
        let server = server.to_owned();
        if server == self.own.server {
            return self.own.get(key_id).filter(|key| !key.retired);
        }
        let good = |known: &KnownKeys, now| known.for_request(key_id, now).is_some();
        let mut known = self.known_of(&server).await;
        if !good(&known, self.ambient.now()) {
            // Somebody calls by this name, so it may well be reached.
            let limits = Limits { despite_back_off: true, ..ASK_SERVER };
            known = self.ask_server(&server, limits, good).await;
        }
        let now = self.ambient.now();
        if !good(&known, now) && !self.notaries.is_empty() && known.may_ask(Source::Notary, now) {
            let wanted = Wanted::from([(key_id.to_owned(), now.millis())]);
            self.ask_notaries(WantedKeys::from([(server.clone(), wanted)])).await;
            known = self.known_of(&server).await;
        }
        known.for_request(key_id, self.ambient.now()).cloned()
    }
}
