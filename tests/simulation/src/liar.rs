//! A server that lies. It has a name, a key and users of its own, is in the room like everybody else, and knows
//! what it was told; but what it says and answers is true only now and then.
//!
//! Everything follows from its own chance, so that a world without it stays as it is. It does not tell honest
//! servers that they are out of the room without telling the one concerned, once its own idea of the room follows
//! what nobody else can have, it lets nobody in, and it does not bear witness to what another liar keeps back: nobody
//! could know better then.

mod answers;
mod forge;
mod lies;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::Method;
use parvis_events::{Pdu, RawPdu, RoomVersion, ServerKey};
use parvis_testkit::simulated::{Foreign, Stream, World};
use ruma::{OwnedEventId, OwnedRoomId, OwnedServerName, signatures::Ed25519KeyPair};
use serde_json::Value;

pub use self::lies::Lies;
use crate::people::encode;

/// The events of a state by type and state key.
type State = BTreeMap<(String, String), OwnedEventId>;

/// How it answers at the moment what others ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// As well as it can.
    Honest,
    /// Not at all.
    Silent,
    /// With errors.
    Failing,
    /// With nonsense.
    Babbling,
    /// With events that it makes up, and no end of them.
    Inventing,
    /// With states that are old, and another for each.
    TwoFaced,
}

const MOODS: [Mood; 6] =
    [Mood::Honest, Mood::Silent, Mood::Failing, Mood::Babbling, Mood::Inventing, Mood::TwoFaced];

/// What a liar knows and is.
pub(crate) struct Liar {
    pub(crate) name: OwnedServerName,
    /// The other liars.
    rivals: Vec<String>,
    /// Its users; the first is the one who is in the room.
    pub(crate) users: [String; 2],
    key: ServerKey,
    pair: Ed25519KeyPair,
    version: RoomVersion,
    room: Option<OwnedRoomId>,
    known: BTreeMap<OwnedEventId, Pdu>,
    heads: BTreeSet<OwnedEventId>,
    state: State,
    /// States as they were.
    past: Vec<State>,
    /// Events that it has made up and tells to whoever asks for them.
    made_up: BTreeMap<OwnedEventId, Pdu>,
    /// What it tells of the states at events that it withholds, by whom it tells.
    two_truths: BTreeMap<OwnedEventId, BTreeMap<String, State>>,
    /// Whether what it goes on from follows something that it tells nobody.
    is_apart: bool,
    mood: Mood,
    dice: Stream,
    transactions: u64,
    now_ms: i64,
    pub(crate) lies: Lies,
}

/// A liar, as the world and the story share it.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Liar>>);

impl Shared {
    /// A liar of this name among these, in no room.
    pub(crate) fn new(name: &str, liars: &[String], mut dice: Stream) -> Self {
        let mut seed = [0; 32];
        seed.chunks_mut(8).for_each(|part| part.copy_from_slice(&dice.number().to_le_bytes()));
        let key = ServerKey::generate(seed, "lie").unwrap();
        let pair =
            Ed25519KeyPair::new("1.3.101.112".parse().unwrap(), &seed, None, "lie".to_owned()).unwrap();
        Self(Arc::new(Mutex::new(Liar {
            name: name.try_into().unwrap(),
            rivals: liars.iter().filter(|liar| *liar != name).cloned().collect(),
            users: [format!("@mal:{name}"), format!("@moe:{name}")],
            key,
            pair,
            version: "11".parse().unwrap(),
            room: None,
            known: BTreeMap::new(),
            heads: BTreeSet::new(),
            state: State::new(),
            past: Vec::new(),
            made_up: BTreeMap::new(),
            two_truths: BTreeMap::new(),
            is_apart: false,
            mood: Mood::Honest,
            dice,
            transactions: 0,
            now_ms: 0,
            lies: Lies::default(),
        })))
    }

    /// Access to it.
    pub(crate) fn get(&self) -> MutexGuard<'_, Liar> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Comes into a room like an honest server.
    pub(crate) fn join(&self, world: &mut World, by: &str, room: &str, version: &str) -> Result<(), String> {
        let (template, name) = {
            let mut liar = self.get();
            liar.version = version.parse().unwrap();
            liar.room = OwnedRoomId::try_from(room).ok();
            let versions = format!("ver={version}");
            let path = format!("v1/make_join/{}/{}?{versions}", encode(room), encode(&liar.users[0]));
            (liar.request(by, &Method::GET, &path, None), liar.name.clone())
        };
        let template = ask(world, name.as_str(), by, template)?;
        let request = {
            let mut liar = self.get();
            liar.now_ms = world.now_ms();
            let mut event = template["event"].clone();
            event["origin_server_ts"] = liar.now_ms.into();
            let join = liar.forge(event);
            let path = format!("v2/send_join/{}/{}", encode(room), encode(join.event_id().as_str()));
            let body = serde_json::from_str(join.json()).unwrap();
            liar.believe(join, true);
            liar.request(by, &Method::PUT, &path, Some(&body))
        };
        let answer = ask(world, name.as_str(), by, request)?;
        let mut liar = self.get();
        for event in answer["auth_chain"].as_array().into_iter().flatten() {
            liar.hear(event, false);
        }
        for event in answer["state"].as_array().into_iter().flatten() {
            liar.hear(event, false);
            liar.set_state(event);
        }
        let state = liar.state.clone();
        liar.past.push(state);
        Ok(())
    }
}

impl Foreign for Shared {
    fn answer(&mut self, request: &http::Request<Bytes>, now_ms: i64) -> Option<http::Response<Bytes>> {
        let mut liar = self.get();
        liar.now_ms = now_ms;
        liar.answer(request)
    }
}

impl Liar {
    /// Learns of an event that somebody told. `is_news` if it stands at the end of the room.
    fn hear(&mut self, event: &Value, is_news: bool) {
        let text = event.to_string();
        let sound = RawPdu::parse(text.as_bytes(), self.version).and_then(RawPdu::check_format);
        let Ok(sound) = sound else { return };
        let (id, room) = (sound.event_id().to_owned(), sound.room_id().to_owned());
        if let Ok(pdu) = Pdu::from_stored(id, room, self.version, text)
            && Some(pdu.owned_room_id()) == self.room.as_ref()
        {
            self.believe(pdu, is_news);
        }
    }

    fn believe(&mut self, pdu: Pdu, is_news: bool) {
        let id = pdu.owned_event_id().clone();
        if self.known.contains_key(&id) {
            return;
        }
        if is_news {
            self.heads.retain(|head| !pdu.prev_events().contains(head));
            self.heads.insert(id.clone());
            if let Some(state_key) = pdu.state_key() {
                if self.past.len() < 20 {
                    self.past.push(self.state.clone());
                }
                self.state.insert((pdu.kind().to_owned(), state_key.to_owned()), id.clone());
            }
        }
        self.known.insert(id, pdu);
    }

    fn set_state(&mut self, event: &Value) {
        let text = event.to_string();
        let Ok(sound) = RawPdu::parse(text.as_bytes(), self.version).and_then(RawPdu::check_format) else {
            return;
        };
        if let Some(pdu) = self.known.get(sound.event_id())
            && let Some(state_key) = pdu.state_key()
        {
            let key = (pdu.kind().to_owned(), state_key.to_owned());
            self.state.entry(key).or_insert_with(|| pdu.owned_event_id().clone());
        }
    }

    /// Whether it is in the room.
    pub(crate) fn is_inside(&self) -> bool {
        self.room.is_some() && !self.heads.is_empty()
    }
}

/// Asks an honest server in a liar's name, and waits for the answer.
fn ask(world: &mut World, from: &str, to: &str, request: http::Request<Bytes>) -> Result<Value, String> {
    const LONGEST_US: u64 = 60_000_000;
    let path = request.uri().to_string();
    let mut expected = world.send_from(from, to, request);
    let end = world.now() + LONGEST_US;
    while world.now() < end && world.step() {
        match expected.answer() {
            None => {}
            Some(Ok(response)) if response.status() == 200 => {
                return serde_json::from_slice(response.body()).map_err(|error| error.to_string());
            }
            Some(Ok(response)) => {
                let body = String::from_utf8_lossy(response.body()).into_owned();
                return Err(format!("{path}: {} {body}", response.status()));
            }
            Some(Err(error)) => return Err(error.to_string()),
        }
    }
    Err(format!("{path} of {from} is not answered"))
}
