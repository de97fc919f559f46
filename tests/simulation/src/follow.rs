//! A client that syncs and is told the state after the timeline (the older way cannot tell of a state that forks
//! have made another than the newest events in it), and what it must never see: an event twice, or another state than the room's.

use std::collections::{BTreeMap, BTreeSet};

use parvis_testkit::simulated::{Ticket, World};
use serde_json::Value;

use crate::people::{Who, Wish, encode};

/// A room's state as a client knows it: event ids by type and state key.
pub(crate) type ClientState = BTreeMap<(String, String), String>;

/// A client that syncs.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) who: Who,
    id: String,
    since: Option<String>,
    waiting: Option<Ticket>,
    /// The events seen in timelines, by room.
    pub(crate) seen: BTreeMap<String, BTreeSet<String>>,
    /// Those of them that were seen since the user last came into the room: coming back, one is told again.
    here: BTreeMap<String, BTreeSet<String>>,
    pub(crate) states: BTreeMap<String, ClientState>,
    pub(crate) faults: Vec<String>,
}

impl Follower {
    pub(crate) fn new(who: Who, id: String) -> Self {
        Self {
            who,
            id,
            since: None,
            waiting: None,
            seen: BTreeMap::new(),
            here: BTreeMap::new(),
            states: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    fn wish(&self) -> Wish {
        let filter = encode(r#"{"room":{"timeline":{"limit":30}}}"#);
        let since = self.since.as_ref().map(|since| format!("&since={since}")).unwrap_or_default();
        Wish::get(self.who, format!("v3/sync?timeout=0&use_state_after=true&filter={filter}{since}"))
    }

    /// Begins a sync, if none is on its way.
    pub(crate) fn begin(&mut self, world: &mut World) {
        self.collect();
        if self.waiting.is_none() {
            self.waiting = Some(self.wish().begin(world));
        }
    }

    /// Takes the answer that is there.
    pub(crate) fn collect(&mut self) {
        let Some(answer) = self.waiting.as_ref().and_then(Ticket::answer) else { return };
        self.waiting = None;
        match answer {
            Ok((200, body)) => self.take(&body),
            Ok((status, body)) => self.faults.push(format!("a sync is answered {status} {body}")),
            // The server crashed: the next sync goes on from where this one did.
            Err(_) => {}
        }
    }

    /// Syncs and waits for the answer.
    pub(crate) fn catch_up(&mut self, world: &mut World) {
        self.collect();
        self.waiting = None;
        for _ in 0..3 {
            match self.wish().demand(world) {
                Ok(body) => self.take(&body),
                Err(problem) => self.faults.push(problem),
            }
        }
    }

    fn take(&mut self, sync: &Value) {
        if let Some(next) = sync["next_batch"].as_str() {
            self.since = Some(next.to_owned());
        }
        for (room, section) in sync["rooms"]["join"].as_object().into_iter().flatten() {
            self.take_room(room, section);
        }
        for (room, section) in sync["rooms"]["leave"].as_object().into_iter().flatten() {
            self.take_room(room, section);
            // What happens after the departure is not told; coming back brings all of the state.
            self.states.remove(room);
            self.here.remove(room);
        }
    }

    fn take_room(&mut self, room: &str, section: &Value) {
        let seen = self.seen.entry(room.to_owned()).or_default();
        let here = self.here.entry(room.to_owned()).or_default();
        let state = self.states.entry(room.to_owned()).or_default();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let told = list(&section["state_after"]["events"]);
        // Whoever has left and come back meanwhile is told all of the room again. Where forks have undone the
        // departure, they came back by the same event as before.
        if told.iter().any(|event| event["type"] == "m.room.member" && event["state_key"] == self.id.as_str())
        {
            here.clear();
        }
        for event in &told {
            note(state, event);
        }
        for event in list(&section["timeline"]["events"]) {
            let id = event["event_id"].as_str().unwrap_or_default().to_owned();
            seen.insert(id.clone());
            if !here.insert(id.clone()) {
                self.faults.push(format!("{id} was synced twice to {:?}", self.who));
            }
        }
    }
}

fn note(state: &mut ClientState, event: &Value) {
    if let (Some(kind), Some(key), Some(id)) =
        (event["type"].as_str(), event["state_key"].as_str(), event["event_id"].as_str())
    {
        state.insert((kind.to_owned(), key.to_owned()), id.to_owned());
    }
}
