//! A server that the test itself plays: it has a name and a key, signs what it says, and answers as the test
//! wants, which may be anything but honest.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use parvis_ambient::Ambient;
use parvis_events::{ServerKey, canonical};
use parvis_peers::Federation;
use ruma::OwnedServerName;
use serde_json::{Value, json};

use crate::{
    client::Answering,
    wires::{Wire, Wires},
};

/// How long a peer's key is good after it was asked for.
const KEY_VALIDITY: Duration = Duration::from_secs(24 * 3600);

/// What a peer answers: a status and a body, or nothing if the request is not for this answer.
type Answers = Box<dyn Fn(&http::Request<Bytes>) -> Option<(u16, Value)> + Send + Sync>;

/// A server that the test plays.
pub struct Peer {
    /// Its name.
    pub name: OwnedServerName,
    /// Its key.
    pub key: Arc<ServerKey>,
    /// Asks the homeservers, in its name.
    pub federation: Federation,
    answers: Arc<Mutex<Vec<Answers>>>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Peer({})", self.name)
    }
}

impl Peer {
    pub(crate) fn on(wires: &Arc<Wires>, name: &str, ambient: &Ambient) -> Self {
        let mut seed = [0; 32];
        ambient.chance.fill(&mut seed);
        let key = Arc::new(ServerKey::generate(seed, "peer").unwrap());
        let wire = Arc::new(Wire { from: name.to_owned(), wires: Arc::clone(wires) });
        let name: OwnedServerName = name.try_into().unwrap();
        let federation = Federation::new(name.clone(), Arc::clone(&key), wire);
        let peer = Self { name, key, federation, answers: Arc::default() };
        let (name, key, ambient) = (peer.name.clone(), Arc::clone(&peer.key), ambient.clone());
        peer.answer(move |request| {
            let until = ambient.now().plus(KEY_VALIDITY).millis();
            let asks = request.uri().path().starts_with("/_matrix/key/v2/server");
            asks.then(|| (200, own_keys(&name, &key, until)))
        });
        let answers = Arc::clone(&peer.answers);
        wires.open(peer.name.as_str(), Arc::new(move |request| answer(&answers, &request)));
        peer
    }

    /// Adds an answer, which is asked before those that are there.
    pub fn answer(
        &self,
        answers: impl Fn(&http::Request<Bytes>) -> Option<(u16, Value)> + Send + Sync + 'static,
    ) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(answers));
    }

    /// Signs an object in the peer's name.
    pub fn sign(&self, object: &Value) -> Value {
        signed(&self.name, &self.key, object)
    }

    /// The same, or nothing where the object is none that can be signed.
    pub fn try_sign(&self, object: &Value) -> Option<Value> {
        let mut object = canonical::parse_object(object.to_string().as_bytes()).ok()?;
        self.key.sign_json(&mut object, &self.name).ok()?;
        serde_json::from_str(&canonical::to_text(&object)).ok()
    }
}

/// What a server says of its keys.
/// <https://spec.matrix.org/v1.19/server-server-api/#publishing-keys>
pub(crate) fn own_keys(name: &OwnedServerName, key: &ServerKey, valid_until_ts: i64) -> Value {
    let keys = HashMap::from([(key.key_id().to_owned(), json!({ "key": key.public_key_base64() }))]);
    let document = json!({
        "server_name": name,
        "verify_keys": keys,
        "old_verify_keys": {},
        "valid_until_ts": valid_until_ts,
    });
    signed(name, key, &document)
}

fn signed(name: &OwnedServerName, key: &ServerKey, object: &Value) -> Value {
    let mut object = canonical::parse_object(object.to_string().as_bytes()).unwrap();
    key.sign_json(&mut object, name).unwrap();
    serde_json::from_str(&canonical::to_text(&object)).unwrap()
}

fn answer(answers: &Mutex<Vec<Answers>>, request: &http::Request<Bytes>) -> Answering {
    let answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
    let unknown = || (404, json!({ "errcode": "M_UNRECOGNIZED", "error": "not here" }));
    let (status, body) = answers.iter().rev().find_map(|answer| answer(request)).unwrap_or_else(unknown);
    let response = http::Response::builder().status(status).header("content-type", "application/json");
    let response = response.body(Bytes::from(body.to_string())).unwrap();
    Box::pin(std::future::ready(Ok(response)))
}
