//! A room as the played server knows it: its events with what they follow, the state after each as far as that
//! server works it out, and new events, sound or damaged, hashed and signed with its key.
//!
//! It is honest about forks only so far as to prefer what it heard last; the homeserver under test resolves them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use parvis_dag::auth_types;
use parvis_events::{MAX_DEPTH, RawPdu, RoomVersion, ServerKey, canonical};
use ruma::{
    UserId,
    signatures::{Ed25519KeyPair, hash_and_sign_event},
};
use serde_json::{Value, json, value::to_raw_value};

/// The state after an event: the event's id by type and state key.
pub(crate) type State = BTreeMap<(String, String), String>;

/// An event of the room.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) pdu: Value,
    pub(crate) before: Arc<State>,
    pub(crate) after: Arc<State>,
    pub(crate) depth: i64,
}

/// What an event is to say.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) sender: String,
    pub(crate) kind: String,
    pub(crate) state_key: Option<String>,
    pub(crate) content: Value,
    pub(crate) redacts: Option<String>,
    /// What it follows.
    pub(crate) prev: Vec<String>,
}

/// An event that may be sent.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    /// Its id, if it has the form of an event.
    pub(crate) id: Option<String>,
    pub(crate) pdu: Value,
}

/// The room.
pub(crate) struct Graph {
    pub(crate) version: RoomVersion,
    pub(crate) room_id: String,
    server: String,
    key: Arc<ServerKey>,
    pub(crate) nodes: HashMap<String, Node>,
    /// All of them, in the order in which they came.
    pub(crate) order: Vec<String>,
    /// Those that nothing follows.
    pub(crate) heads: BTreeSet<String>,
    ts: i64,
}

impl Graph {
    pub(crate) fn new(version: RoomVersion, room_id: &str, server: &str, key: Arc<ServerKey>) -> Self {
        Self {
            version,
            room_id: room_id.to_owned(),
            server: server.to_owned(),
            key,
            nodes: HashMap::new(),
            order: Vec::new(),
            heads: BTreeSet::new(),
            ts: 1_700_000_000_000,
        }
    }

    /// The id of an event, if it has the form of one.
    pub(crate) fn id_of(&self, pdu: &Value) -> Option<String> {
        let raw = RawPdu::parse(pdu.to_string().as_bytes(), self.version).ok()?;
        Some(raw.check_format().ok()?.event_id().to_string())
    }

    /// Takes note of an event, in its place.
    pub(crate) fn learn(&mut self, pdu: &Value) -> Option<String> {
        let id = self.id_of(pdu)?;
        if self.nodes.contains_key(&id) {
            return Some(id);
        }
        let prev = ids(&pdu["prev_events"]);
        let before = self.state_at(&prev);
        self.insert(id.clone(), pdu, before);
        for event in &prev {
            self.heads.remove(event);
        }
        self.heads.insert(id.clone());
        Some(id)
    }

    /// Takes note of an event that nothing but what is made for it shall follow.
    pub(crate) fn learn_aside(&mut self, pdu: &Value) -> Option<String> {
        let (order, heads) = (self.order.len(), self.heads.clone());
        let id = self.learn(pdu);
        self.order.truncate(order);
        self.heads = heads;
        id
    }

    /// Takes note of a join: of the event, of the state before it, and of what authorises that.
    pub(crate) fn learn_join(&mut self, state: &[Value], chain: &[Value], first: &Value) -> Option<String> {
        let mut before = State::new();
        for pdu in state {
            before.extend(slot(pdu).zip(self.id_of(pdu)));
        }
        for pdu in chain.iter().chain(state) {
            let id = self.id_of(pdu)?;
            let unknown = Arc::new(State::new());
            let depth = pdu["depth"].as_i64()?;
            let node = Node { pdu: pdu.clone(), before: Arc::clone(&unknown), after: unknown, depth };
            self.nodes.entry(id).or_insert(node);
        }
        let id = self.id_of(first)?;
        self.insert(id.clone(), first, Arc::new(before));
        self.heads = BTreeSet::from([id.clone()]);
        Some(id)
    }

    fn insert(&mut self, id: String, pdu: &Value, before: Arc<State>) {
        let mut after = Arc::clone(&before);
        if let Some(slot) = slot(pdu) {
            Arc::make_mut(&mut after).insert(slot, id.clone());
        }
        let depth = pdu["depth"].as_i64().unwrap_or_default();
        self.order.push(id.clone());
        self.nodes.insert(id, Node { pdu: pdu.clone(), before, after, depth });
    }

    /// The state after all of these.
    pub(crate) fn state_at(&self, prev: &[String]) -> Arc<State> {
        let mut known = prev.iter().filter_map(|id| self.nodes.get(id)).map(|node| &node.after);
        let mut state = known.next().map(Arc::clone).unwrap_or_default();
        for other in known {
            if **other != *state {
                Arc::make_mut(&mut state).extend(other.iter().map(|(slot, id)| (slot.clone(), id.clone())));
            }
        }
        state
    }

    /// Whether the states after these differ.
    pub(crate) fn is_meeting(&self, prev: &[String]) -> bool {
        let mut states = prev.iter().filter_map(|id| self.nodes.get(id)).map(|node| &node.after);
        states.next().is_some_and(|first| states.any(|other| other != first))
    }

    /// A user's membership in a state.
    pub(crate) fn membership(&self, state: &State, user: &str) -> String {
        let id = state.get(&("m.room.member".to_owned(), user.to_owned()));
        let node = id.and_then(|id| self.nodes.get(id));
        node.and_then(|node| node.pdu["content"]["membership"].as_str()).unwrap_or("leave").to_owned()
    }

    /// All that authorises an event, directly or not.
    pub(crate) fn auth_chain(&self, of: &[String]) -> BTreeSet<String> {
        let mut chain = BTreeSet::new();
        let mut open: Vec<String> = of.to_vec();
        while let Some(id) = open.pop() {
            let Some(node) = self.nodes.get(&id) else { continue };
            for cited in ids(&node.pdu["auth_events"]) {
                if chain.insert(cited.clone()) {
                    open.push(cited);
                }
            }
        }
        chain
    }

    /// The event as it is before it is hashed and signed.
    pub(crate) fn draft(&mut self, plan: &Plan) -> Value {
        self.ts += 1_000;
        let state = self.state_at(&plan.prev);
        let depth = plan.prev.iter().filter_map(|id| self.nodes.get(id)).map(|node| node.depth).max();
        let mut content = plan.content.clone();
        if let (Some(redacts), true) = (&plan.redacts, self.version.redacts_in_content()) {
            content["redacts"] = json!(redacts);
        }
        let mut event = json!({
            "room_id": self.room_id,
            "sender": plan.sender,
            "type": plan.kind,
            "content": content,
            "prev_events": plan.prev,
            "auth_events": self.authority(plan, &state),
            "depth": depth.unwrap_or(1).saturating_add(1).min(MAX_DEPTH),
            "origin_server_ts": self.ts,
        });
        if let Some(key) = &plan.state_key {
            event["state_key"] = json!(key);
        }
        if let (Some(redacts), false) = (&plan.redacts, self.version.redacts_in_content()) {
            event["redacts"] = json!(redacts);
        }
        event
    }

    /// The events of a state that authorise another.
    fn authority(&self, plan: &Plan, state: &State) -> Vec<String> {
        let (Ok(sender), Ok(content)) = (<&UserId>::try_from(&*plan.sender), to_raw_value(&plan.content))
        else {
            return Vec::new();
        };
        let state_key = plan.state_key.as_deref();
        let mut keys = auth_types(self.version, sender, &plan.kind, state_key, &content).unwrap_or_default();
        let create = ("m.room.create".to_owned(), String::new());
        keys.retain(|key| *key != create);
        if !self.version.room_id_is_create_hash() {
            keys.push(create);
        }
        keys.iter().filter_map(|key| state.get(key).cloned()).collect()
    }

    /// Hashes and signs an event; as it is where it has no such form that it could be.
    pub(crate) fn sign(&self, event: &Value) -> Signed {
        let pdu = self.try_sign(event).unwrap_or_else(|| event.clone());
        Signed { id: self.id_of(&pdu), pdu }
    }

    fn try_sign(&self, event: &Value) -> Option<Value> {
        let mut object = canonical::parse_object(event.to_string().as_bytes()).ok()?;
        let algorithm = "1.3.101.112".parse().ok()?;
        let version = self.key.version().to_owned();
        let pair = Ed25519KeyPair::new(algorithm, &self.key.to_bytes(), None, version).ok()?;
        hash_and_sign_event(&self.server, &pair, &mut object, &self.version.rules().redaction).ok()?;
        serde_json::from_str(&canonical::to_text(&object)).ok()
    }
}

/// The ids in a list.
pub(crate) fn ids(list: &Value) -> Vec<String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect()
}

/// The slot of a state event.
fn slot(pdu: &Value) -> Option<(String, String)> {
    Some((pdu["type"].as_str()?.to_owned(), pdu["state_key"].as_str()?.to_owned()))
}
