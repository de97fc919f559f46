//! What the played server answers when the homeserver asks it for what it withheld: honestly, in part, or nonsense.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    graph::{Graph, ids},
    mutate::Damage,
};

/// How the played server answers questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As it should.
    #[default]
    Honest,
    /// It denies the events between, and gives single ones and states.
    Forgetful,
    /// It has nothing.
    Silent,
    /// It tells states in which some events are missing, and others withheld.
    Partial,
    /// It damages what it tells.
    Mad,
}

/// What the played server has, and what it was asked and told.
#[derive(Default)]
pub(crate) struct Elsewhere {
    pub(crate) mood: Mood,
    /// The events by id.
    pub(crate) events: HashMap<String, Value>,
    /// The state before events, and its auth chain.
    pub(crate) states: HashMap<String, (Vec<String>, Vec<String>)>,
    /// What the homeserver has sent.
    pub(crate) told: Vec<Value>,
    /// How often it asked for what.
    pub(crate) asked: BTreeMap<&'static str, u64>,
    /// What it was given of what was asked for.
    pub(crate) given: BTreeSet<String>,
    seed: u64,
}

/// The same for all who hold it.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Elsewhere>>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Elsewhere> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a request of the homeserver.
    pub(crate) fn answer(&self, request: &http::Request<Bytes>) -> Option<(u16, Value)> {
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let path = path.strip_prefix("/_matrix/federation/")?;
        let mut parts = path.split('/').skip(1);
        let (what, rest): (&str, Vec<String>) = (parts.next()?, parts.map(decoded).collect());
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let mut held = self.lock();
        if what == "send" {
            let pdus = body["pdus"].as_array().cloned().unwrap_or_default();
            held.told.extend(pdus);
            return Some((200, json!({ "pdus": {} })));
        }
        held.count(what);
        if held.mood == Mood::Silent {
            return None;
        }
        let event = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|pair| pair.0 == name).map(|pair| decoded(pair.1)).collect::<Vec<_>>()
        };
        let mut answer = match what {
            "get_missing_events" if held.mood != Mood::Forgetful => held.missing_events(&body),
            "backfill" if held.mood != Mood::Forgetful => held.backfill(&event("v")),
            "event" => held.event(rest.first()?)?,
            "state_ids" => held.state_ids(event("event_id").first()?)?,
            "state" => held.state(event("event_id").first()?)?,
            "event_auth" => held.event_auth(rest.get(1)?)?,
            _ => return None,
        };
        if held.mood == Mood::Mad {
            held.seed += 1;
            Damage::new(held.seed).value(&mut answer);
        }
        Some((200, answer))
    }
}

impl Elsewhere {
    /// Holds an event of a room, with the state before it.
    pub(crate) fn hold(&mut self, graph: &Graph, id: &str) {
        let Some(node) = graph.nodes.get(id) else { return };
        let state: Vec<String> = node.before.values().cloned().collect();
        let chain = graph.auth_chain(&state).into_iter().collect();
        self.states.insert(id.to_owned(), (state, chain));
        self.events.insert(id.to_owned(), node.pdu.clone());
    }

    /// How the played server answers from now on.
    pub(crate) fn change_mood(&mut self, mood: Mood, seed: u64) {
        self.mood = mood;
        self.seed = seed << 16;
    }

    fn count(&mut self, what: &str) {
        const WHAT: [&str; 6] =
            ["get_missing_events", "backfill", "event", "state_ids", "state", "event_auth"];
        let name = WHAT.into_iter().find(|name| *name == what).unwrap_or("something else");
        *self.asked.entry(name).or_default() += 1;
    }

    /// Events and what they follow, newest first, up to those that are left out.
    fn walk(&mut self, mut open: Vec<String>, mut seen: BTreeSet<String>, limit: usize) -> Vec<Value> {
        let mut found = Vec::new();
        while !open.is_empty() && found.len() < limit {
            let id = open.remove(0);
            if !seen.insert(id.clone()) {
                continue;
            }
            if let Some(pdu) = self.events.get(&id) {
                open.extend(ids(&pdu["prev_events"]));
                found.push(pdu.clone());
                self.given.insert(id);
            }
        }
        found
    }

    fn missing_events(&mut self, body: &Value) -> Value {
        let latest = ids(&body["latest_events"]);
        let before =
            latest.iter().filter_map(|id| self.events.get(id)).flat_map(|pdu| ids(&pdu["prev_events"]));
        let open = before.collect();
        let seen = ids(&body["earliest_events"]).into_iter().collect();
        let mut events = self.walk(open, seen, 10);
        events.reverse();
        json!({ "events": events })
    }

    fn backfill(&mut self, from: &[String]) -> Value {
        let events = self.walk(from.to_vec(), BTreeSet::new(), 20);
        json!({ "origin": "b.test", "origin_server_ts": 1, "pdus": events })
    }

    fn event(&mut self, id: &str) -> Option<Value> {
        let pdu = self.events.get(id)?.clone();
        self.given.insert(id.to_owned());
        Some(json!({ "origin": "b.test", "origin_server_ts": 1, "pdus": [pdu] }))
    }

    /// The state and its auth chain, less than whole if the mood is so.
    fn told_state(&self, id: &str) -> Option<(Vec<String>, Vec<String>)> {
        let (mut state, chain) = self.states.get(id)?.clone();
        if self.mood == Mood::Partial {
            state.retain(|id| !id.ends_with(['a', 'b', 'c', 'd', 'A', 'B', '1', '2']));
        }
        Some((state, chain))
    }

    fn state_ids(&mut self, id: &str) -> Option<Value> {
        let (state, chain) = self.told_state(id)?;
        Some(json!({ "pdu_ids": state, "auth_chain_ids": chain }))
    }

    fn state(&mut self, id: &str) -> Option<Value> {
        let (state, chain) = self.told_state(id)?;
        let events =
            |ids: Vec<String>| ids.iter().filter_map(|id| self.events.get(id).cloned()).collect::<Vec<_>>();
        Some(json!({ "pdus": events(state), "auth_chain": events(chain) }))
    }

    fn event_auth(&mut self, id: &str) -> Option<Value> {
        let (_, chain) = self.told_state(id)?;
        let chain: Vec<Value> = chain.iter().filter_map(|id| self.events.get(id).cloned()).collect();
        Some(json!({ "auth_chain": chain }))
    }
}

/// A part of a URI without its percent signs.
fn decoded(part: &str) -> String {
    let bytes = part.as_bytes();
    let mut text = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 3).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                text.push(byte);
                at += 3;
            }
            _ => {
                text.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}
