//! The rules on one message: the checks of its auth events, and of the state before it.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on must end")]

use std::{collections::HashMap, hint::black_box};

use criterion::Criterion;
use parvis_dag as dag;
use parvis_events::{EventDraft, Pdu, RoomVersion, ServerKey};
use ruma::{EventId, OwnedEventId, OwnedUserId};
use serde_json::{Value, json, value::RawValue};

const VERSION: RoomVersion = RoomVersion::V12;

/// A room of two.
struct Room {
    key: ServerKey,
    events: HashMap<OwnedEventId, Pdu>,
    state: dag::StateMap,
    newest: Option<Pdu>,
}

impl Room {
    fn event(&mut self, sender: &str, kind: &str, state_key: Option<&str>, content: &Value) -> Pdu {
        let sender = OwnedUserId::try_from(sender).unwrap();
        let content = RawValue::from_string(content.to_string()).unwrap();
        let keys = dag::auth_types(VERSION, &sender, kind, state_key, &content).unwrap();
        let draft = EventDraft {
            room_id: self.newest.as_ref().map(|pdu| pdu.owned_room_id().clone()),
            sender,
            kind: kind.to_owned(),
            state_key: state_key.map(ToOwned::to_owned),
            content,
            redacts: None,
            prev_events: self.newest.iter().map(|pdu| pdu.owned_event_id().clone()).collect(),
            auth_events: keys.iter().filter_map(|key| self.state.get(key).cloned()).collect(),
            depth: 1,
            origin_server_ts: 1_700_000_000_000,
        };
        let pdu = draft.sign(VERSION, &self.key).unwrap();
        if let Some(state_key) = state_key {
            self.state.insert((kind.to_owned(), state_key.to_owned()), pdu.owned_event_id().clone());
        }
        self.events.insert(pdu.owned_event_id().clone(), pdu.clone());
        self.newest = Some(pdu.clone());
        pdu
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let key = ServerKey::generate([7; 32], "1").unwrap();
    let mut room = Room { key, events: HashMap::new(), state: HashMap::new(), newest: None };
    let (alice, bob) = ("@alice:parvis.test", "@bob:parvis.test");
    let joined = json!({ "membership": "join" });
    room.event(alice, "m.room.create", Some(""), &json!({ "room_version": VERSION.as_str() }));
    room.event(alice, "m.room.member", Some(alice), &joined);
    room.event(alice, "m.room.power_levels", Some(""), &json!({ "users": { bob: 50 } }));
    room.event(alice, "m.room.join_rules", Some(""), &json!({ "join_rule": "public" }));
    room.event(bob, "m.room.member", Some(bob), &joined);
    let message = room.event(bob, "m.room.message", None, &json!({ "msgtype": "m.text", "body": "hello" }));

    let known = |id: &EventId| room.events.get(id).cloned().map(dag::Known::accepted);
    let state = |kind: &str, key: &str| {
        let id = room.state.get(&(kind.to_owned(), key.to_owned()))?;
        room.events.get(id).cloned()
    };
    criterion.bench_function("auth check of a message", |bencher| {
        bencher.iter(|| dag::authorise(black_box(&message), state).unwrap());
    });
    criterion.bench_function("judge a message of another server", |bencher| {
        bencher.iter(|| dag::judge(black_box(&message), known, state, state));
    });
    criterion.final_summary();
}
