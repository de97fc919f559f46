//! A room in memory: a creator, the usual state and many members, each event signed.

use parvis_dag as dag;
use parvis_events::{EventDraft, Pdu, RoomVersion, ServerKey};
use ruma::{EventId, OwnedEventId, OwnedUserId};
use serde_json::{Value, json, value::RawValue};
use std::collections::{HashMap, HashSet};

const VERSION: RoomVersion = RoomVersion::V12;

/// A room that grows event by event, each judged by nobody.
#[derive(Clone)]
pub(crate) struct Room {
    key: std::sync::Arc<ServerKey>,
    pub(crate) events: HashMap<OwnedEventId, Pdu>,
    /// The state after the newest event of this branch.
    pub(crate) state: dag::StateMap,
    newest: Option<Pdu>,
    now: i64,
}

/// The id of a user by number.
pub(crate) fn user(number: usize) -> OwnedUserId {
    OwnedUserId::try_from(format!("@member-{number}:parvis.test")).unwrap()
}

impl Room {
    /// A public room of so many members; the first one made it.
    pub(crate) fn of(members: usize) -> Self {
        let key = ServerKey::generate([7; 32], "1").unwrap();
        let mut room = Self {
            key: key.into(),
            events: HashMap::new(),
            state: dag::StateMap::new(),
            newest: None,
            now: 1_700_000_000_000,
        };
        let creator = user(0);
        room.set(&creator, "m.room.create", "", &json!({ "room_version": VERSION.as_str() }));
        room.join(0);
        room.set(&creator, "m.room.power_levels", "", &json!({ "users": { user(1).as_str(): 100 } }));
        room.set(&creator, "m.room.join_rules", "", &json!({ "join_rule": "public" }));
        (1..members).for_each(|number| room.join(number));
        room
    }

    fn join(&mut self, number: usize) {
        let content = json!({ "membership": "join", "displayname": format!("Member number {number}") });
        self.set(&user(number), "m.room.member", user(number).as_str(), &content);
    }

    /// Sets state.
    pub(crate) fn set(&mut self, sender: &OwnedUserId, kind: &str, key: &str, content: &Value) {
        let pdu = self.draft(sender, kind, Some(key), content).sign(VERSION, &self.key).unwrap();
        let id = pdu.owned_event_id().clone();
        self.state.insert((kind.to_owned(), key.to_owned()), id.clone());
        self.events.insert(id, pdu.clone());
        self.newest = Some(pdu);
    }

    /// The next event, not yet signed.
    pub(crate) fn draft(
        &mut self,
        sender: &OwnedUserId,
        kind: &str,
        state_key: Option<&str>,
        content: &Value,
    ) -> EventDraft {
        self.now += 1_000;
        let content = RawValue::from_string(content.to_string()).unwrap();
        let keys = dag::auth_types(VERSION, sender, kind, state_key, &content).unwrap();
        EventDraft {
            room_id: self.newest.as_ref().map(|pdu| pdu.owned_room_id().clone()),
            sender: sender.clone(),
            kind: kind.to_owned(),
            state_key: state_key.map(ToOwned::to_owned),
            content,
            redacts: None,
            prev_events: self.newest.iter().map(|pdu| pdu.owned_event_id().clone()).collect(),
            auth_events: keys.iter().filter_map(|key| self.state.get(key).cloned()).collect(),
            depth: self.newest.as_ref().map_or(1, |pdu| pdu.depth() + 1),
            origin_server_ts: self.now,
        }
    }

    /// The key that signs.
    pub(crate) fn key(&self) -> &ServerKey {
        &self.key
    }

    /// What the room holds under a type and a state key.
    pub(crate) fn held(&self, kind: &str, key: &str) -> Option<Pdu> {
        let id = self.state.get(&(kind.to_owned(), key.to_owned()))?;
        self.events.get(id).cloned()
    }

    /// The state with all that authorises it.
    pub(crate) fn fork(&self) -> dag::Fork {
        let mut auth_chain: HashSet<OwnedEventId> = self.state.values().cloned().collect();
        let known = |id: &EventId| self.events.get(id).cloned();
        auth_chain.extend(dag::auth_chain(self.state.values().map(|id| &**id), known));
        dag::Fork { state: self.state.clone(), auth_chain }
    }
}
