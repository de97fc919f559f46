//! The keys of other servers: where they come from, and how long they are believed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response};
use parvis_ambient::TestClock;
use parvis_events::{
    ServerKey,
    canonical::{parse_object, to_text},
};
use parvis_peers::{
    Body, Federation, KeyQuery, KeysWanted, Limits, PeerError, ServerKeys, Transport, WantedKeys,
};
use parvis_peers_http::KeyRing;
use parvis_storage::Store;
use ruma::{ServerName, server_name};
use serde_json::{Value, json};

use crate::world::{self, START_MS, server};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY_MS: i64 = 24 * 3_600 * 1_000;

pub(crate) fn key(version: &str) -> ServerKey {
    let mut seed = [1; 32];
    seed.iter_mut().zip(version.bytes()).for_each(|(place, byte)| *place = byte);
    ServerKey::generate(seed, version).unwrap()
}

/// A document that publishes keys, signed by those in use.
pub(crate) fn document(
    name: &str,
    in_use: &[&ServerKey],
    retired: &[(&ServerKey, i64)],
    valid_until_ts: i64,
) -> Value {
    let published = |key: &ServerKey| json!({ "key": key.public_key_base64() });
    let in_use_json: HashMap<_, _> = in_use.iter().map(|key| (key.key_id(), published(key))).collect();
    let old = |(key, expired_ts): &(&ServerKey, i64)| {
        (key.key_id().to_owned(), json!({ "key": key.public_key_base64(), "expired_ts": expired_ts }))
    };
    let document = json!({
        "server_name": name, "verify_keys": in_use_json, "valid_until_ts": valid_until_ts,
        "old_verify_keys": retired.iter().map(old).collect::<HashMap<_, _>>(),
    });
    in_use.iter().fold(document, |document, key| signed(&document, name, key))
}

pub(crate) fn signed(document: &Value, name: &str, key: &ServerKey) -> Value {
    let mut object = parse_object(document.to_string().as_bytes()).unwrap();
    key.sign_json(&mut object, &server(name)).unwrap();
    serde_json::from_str(&to_text(&object)).unwrap()
}

/// Servers that publish documents, and notaries that answer with them.
#[derive(Debug, Default)]
struct Publishers {
    documents: Mutex<HashMap<String, Value>>,
    /// What a notary answers, whatever it is asked.
    notaries: Mutex<HashMap<String, Vec<Value>>>,
    asked: Mutex<Vec<String>>,
}

impl Publishers {
    fn publish(&self, name: &str, document: Value) {
        self.documents.lock().unwrap().insert(name.to_owned(), document);
    }

    fn silence(&self, name: &str) {
        self.documents.lock().unwrap().remove(name);
    }

    fn notary(&self, name: &str, documents: Vec<Value>) {
        self.notaries.lock().unwrap().insert(name.to_owned(), documents);
    }

    /// Who was asked since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

#[async_trait]
impl Transport for Publishers {
    async fn exchange(
        &self,
        destination: &ServerName,
        request: Request<Bytes>,
        _: Limits,
    ) -> Result<Response<Body>, PeerError> {
        tokio::task::yield_now().await;
        let (name, path) = (destination.as_str(), request.uri().path());
        self.asked.lock().unwrap().push(format!("{name}{}", path.trim_start_matches("/_matrix/key/v2")));
        let answer = match path {
            "/_matrix/key/v2/server" => self.documents.lock().unwrap().get(name).cloned(),
            "/_matrix/key/v2/query" => {
                let answer = self.notaries.lock().unwrap().get(name).cloned();
                answer.map(|documents| json!({ "server_keys": documents }))
            }
            _ => None,
        };
        let answer = answer.ok_or_else(|| PeerError::Timeout(name.to_owned()))?;
        Ok(Response::new(Body::whole(answer.to_string().into())))
    }
}

struct World {
    publishers: Arc<Publishers>,
    ring: KeyRing,
    clock: Arc<TestClock>,
    store: Store,
    _directory: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with_notaries(&[]).await
    }

    async fn with_notaries(notaries: &[&str]) -> Self {
        let (store, directory) = world::store().await;
        let publishers = Arc::new(Publishers::default());
        let (ring, clock) = ring(&publishers, notaries, &store, START_MS).await;
        Self { publishers, ring, clock, store, _directory: directory }
    }

    /// The process ends, and another one begins at the same time.
    async fn restart(&mut self) {
        let now = parvis_ambient::Clock::now(&*self.clock).millis();
        (self.ring, self.clock) = ring(&self.publishers, &[], &self.store, now).await;
    }

    /// Whether a request that this key signed would be believed.
    async fn believes(&self, name: &str, key: &ServerKey) -> bool {
        let found = self.ring.key_for_request(&server(name), key.key_id()).await;
        found.is_some_and(|found| found.public_key == key.public_key_base64() && !found.retired)
    }

    /// Until when a key is believed that somebody needs for an event of this time.
    async fn valid_until(&self, name: &str, key: &ServerKey, at_ts: i64) -> Option<i64> {
        let wanted = WantedKeys::from([(server(name), [(key.key_id().to_owned(), at_ts)].into())]);
        self.ring.keys(&wanted).await.get(&server(name), key.key_id()).map(|key| key.valid_until_ts)
    }
}

async fn ring(
    publishers: &Arc<Publishers>,
    notaries: &[&str],
    store: &Store,
    now_ms: i64,
) -> (KeyRing, Arc<TestClock>) {
    let (mut ambient, _) = world::ambient();
    let clock = Arc::new(TestClock::starting_at(now_ms));
    ambient.clock = Arc::clone(&clock) as _;
    let own = Arc::new(key("own"));
    let federation = Federation::new(server("own.test"), Arc::clone(&own), Arc::clone(publishers) as _);
    let notaries = notaries.iter().map(|name| server(name)).collect();
    (KeyRing::open(federation, own, notaries, store.clone(), ambient).await.unwrap(), clock)
}

#[tokio::test]
async fn key_is_fetched_once_and_kept_over_a_restart() {
    let mut world = World::new().await;
    let a = key("a");
    world.publishers.publish("a.test", document("a.test", &[&a], &[], START_MS + DAY_MS));
    assert!(world.believes("a.test", &a).await && world.believes("a.test", &a).await);
    assert_eq!(world.publishers.asked(), ["a.test/server"]);
    world.restart().await;
    assert!(world.believes("a.test", &a).await);
    assert_eq!(world.valid_until("a.test", &a, START_MS).await, Some(START_MS + DAY_MS));
    assert!(world.publishers.asked().is_empty());
}

#[tokio::test]
async fn many_who_need_a_key_ask_once() {
    let world = World::new().await;
    let a = key("a");
    world.publishers.publish("a.test", document("a.test", &[&a], &[], START_MS + DAY_MS));
    let all = join_all((0..20).map(|_| world.believes("a.test", &a))).await;
    assert!(all.into_iter().all(|believed| believed));
    assert_eq!(world.publishers.asked().len(), 1);
}

#[tokio::test]
async fn server_is_not_asked_again_at_once_whoever_makes_up_key_ids() {
    let world = World::new().await;
    for name in ["silent.test", "a.test"] {
        world.publishers.publish("a.test", document("a.test", &[&key("a")], &[], START_MS + DAY_MS));
        for version in ["x", "y", "z"] {
            assert!(!world.believes(name, &key(version)).await);
        }
        assert_eq!(world.publishers.asked(), [format!("{name}/server")]);
        world.clock.advance(Duration::from_secs(31));
        assert!(!world.believes(name, &key("x")).await);
        assert_eq!(world.publishers.asked().len(), 1);
    }
}

#[tokio::test]
async fn key_is_fetched_again_when_its_time_is_over_and_believed_a_week_at_most() {
    let world = World::new().await;
    let a = key("a");
    world.publishers.publish("a.test", document("a.test", &[&a], &[], START_MS + 1_000 * DAY_MS));
    let week = START_MS + 7 * DAY_MS;
    assert_eq!(world.valid_until("a.test", &a, START_MS).await, Some(week));
    world.clock.advance(HOUR * 24 * 8);
    world.publishers.asked();
    world.publishers.silence("a.test");
    assert!(!world.believes("a.test", &a).await, "the server does not confirm it any more");
    // For an event of that time the key is still good, without asking.
    world.publishers.asked();
    assert_eq!(world.valid_until("a.test", &a, week).await, Some(week));
    assert!(world.publishers.asked().is_empty());
}

#[tokio::test]
async fn retired_key_is_good_for_old_events_and_for_no_request() {
    let world = World::new().await;
    let (old, new) = (key("old"), key("new"));
    world.publishers.publish("a.test", document("a.test", &[&old], &[], START_MS + DAY_MS));
    assert!(world.believes("a.test", &old).await);
    world.clock.advance(HOUR);
    let retired_ts = START_MS + 1_000;
    let rotated = document("a.test", &[&new], &[(&old, retired_ts)], START_MS + 2 * DAY_MS);
    world.publishers.publish("a.test", rotated);
    assert!(world.believes("a.test", &new).await);
    assert!(!world.believes("a.test", &old).await);
    assert_eq!(world.valid_until("a.test", &old, START_MS).await, Some(retired_ts));
}

#[tokio::test]
async fn documents_of_other_servers_and_forged_ones_are_refused() {
    let world = World::new().await;
    let (a, thief) = (key("a"), key("thief"));
    world.publishers.publish("a.test", document("b.test", &[&a], &[], START_MS + DAY_MS));
    assert!(!world.believes("a.test", &a).await);
    let mut forged = document("a.test", &[&thief], &[], START_MS + DAY_MS);
    forged["verify_keys"] = json!({ "ed25519:a": { "key": thief.public_key_base64() } });
    world.clock.advance(HOUR);
    world.publishers.publish("a.test", forged);
    assert!(!world.believes("a.test", &a).await);
}

#[tokio::test]
async fn notary_tells_of_servers_that_are_silent() {
    let world = World::with_notaries(&["silent-notary.test", "notary.test"]).await;
    let (a, b, notary) = (key("a"), key("b"), key("notary"));
    world.publishers.publish("notary.test", document("notary.test", &[&notary], &[], START_MS + DAY_MS));
    let of_a = document("a.test", &[&a], &[], START_MS + DAY_MS);
    let of_b = document("b.test", &[&b], &[], START_MS + DAY_MS);
    // One document the notary has signed, the other one not.
    world.publishers.notary("notary.test", vec![signed(&of_a, "notary.test", &notary), of_b]);
    let wanted = [("a.test", &a), ("b.test", &b)]
        .map(|(name, key)| (server(name), [(key.key_id().to_owned(), START_MS)].into()));
    let book = world.ring.keys(&WantedKeys::from(wanted)).await;
    assert!(book.get(server_name!("a.test"), a.key_id()).is_some());
    assert!(book.get(server_name!("b.test"), b.key_id()).is_none());
    assert!(world.believes("a.test", &a).await);
    let asked = world.publishers.asked();
    assert!(asked.contains(&"silent-notary.test/query".to_owned()), "{asked:?}");
    // Nobody is asked again at once about what nobody knows.
    assert!(!world.believes("b.test", &b).await);
    assert!(world.publishers.asked().is_empty());
}

#[tokio::test]
async fn own_keys_come_from_memory_and_are_published_with_the_old_ones() {
    let world = World::new().await;
    let (old, own) = (key("older"), key("own"));
    for (key, created_ts) in [(&old, 5), (&own, 9)] {
        world.store.add_server_key(key.key_id(), &key.to_bytes(), created_ts).await.unwrap();
    }
    let (ring, _) = ring(&world.publishers, &[], &world.store, START_MS).await;
    let wanted = [&old, &own].map(|key| (key.key_id().to_owned(), START_MS));
    let book = ring.keys(&WantedKeys::from([(server("own.test"), wanted.into())])).await;
    let of_own = |key: &ServerKey| book.get(server_name!("own.test"), key.key_id()).cloned().unwrap();
    assert!(!of_own(&own).retired);
    assert_eq!((of_own(&old).retired, of_own(&old).valid_until_ts), (true, 9));
    let published: Value = serde_json::from_str(&ring.published().unwrap()).unwrap();
    assert_eq!(published["verify_keys"], json!({ "ed25519:own": { "key": own.public_key_base64() } }));
    let retired = json!({ "ed25519:older": { "key": old.public_key_base64(), "expired_ts": 9 } });
    assert_eq!(published["old_verify_keys"], retired);
    assert_eq!(published["valid_until_ts"], START_MS + DAY_MS);
    assert!(published["signatures"]["own.test"]["ed25519:own"].is_string());
    assert!(world.publishers.asked().is_empty());
}

/// What is answered to somebody who wants this server's keys.
async fn vouch(ring: &KeyRing, name: &str, named: &[(&ServerKey, i64)], until_ts: i64) -> Vec<Value> {
    let named = named.iter().map(|(key, until_ts)| (key.key_id().to_owned(), *until_ts)).collect();
    let query = KeyQuery::from([(server(name), KeysWanted { named, until_ts })]);
    let documents = ring.vouch(&query).await;
    documents.iter().map(|document| serde_json::from_str(document).unwrap()).collect()
}

#[tokio::test]
async fn notary_gives_documents_as_they_came_with_its_own_signature_besides() {
    let world = World::new().await;
    let a = key("a");
    let mut published = document("a.test", &[&a], &[], START_MS + DAY_MS);
    published["something"] = json!("else");
    published = signed(&published, "a.test", &a);
    world.publishers.publish("a.test", published.clone());
    for named in [&[][..], &[(&a, START_MS)]] {
        let documents = vouch(&world.ring, "a.test", named, START_MS).await;
        let expected = signed(&published, "own.test", &key("own"));
        assert_eq!(documents, [expected]);
    }
    assert_eq!(world.publishers.asked().len(), 1);
    assert!(vouch(&world.ring, "nobody.test", &[], START_MS).await.is_empty());
    assert_eq!(vouch(&world.ring, "own.test", &[], START_MS).await.len(), 1);
}

#[tokio::test]
async fn notary_asks_again_where_more_is_wanted_and_else_gives_what_it_has() {
    let world = World::new().await;
    let (a, b) = (key("a"), key("b"));
    world.publishers.publish("a.test", document("a.test", &[&a], &[], START_MS + DAY_MS));
    assert_eq!(vouch(&world.ring, "a.test", &[(&a, START_MS)], START_MS).await.len(), 1);
    world.clock.advance(HOUR);
    world.publishers.asked();

    let newer = document("a.test", &[&b], &[(&a, START_MS + 5)], START_MS + 3 * DAY_MS);
    world.publishers.publish("a.test", newer);
    let documents = vouch(&world.ring, "a.test", &[(&a, START_MS + 2 * DAY_MS)], START_MS).await;
    assert_eq!(documents[0]["valid_until_ts"], START_MS + 3 * DAY_MS);
    assert_eq!(world.publishers.asked(), ["a.test/server"]);

    world.clock.advance(HOUR);
    world.publishers.silence("a.test");
    let documents = vouch(&world.ring, "a.test", &[], START_MS + 300 * DAY_MS).await;
    assert_eq!(documents.len(), 1, "the last that is known");
    assert_eq!(world.publishers.asked(), ["a.test/server"]);
}
