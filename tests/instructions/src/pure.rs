//! What needs neither database nor server: events and the rules.

use std::{collections::HashMap, hint::black_box};

use parvis_dag as dag;
use parvis_events::{EventDraft, Pdu, PublicKeys, RawPdu, RoomVersion, canonical};
use ruma::{EventId, OwnedEventId, server_name};
use serde_json::json;

use crate::{
    counted::Script,
    room::{Room, user},
};

const VERSION: RoomVersion = RoomVersion::V12;
const MEMBERS: usize = 1_000;

/// Walks the paths.
pub(crate) fn walk(script: &mut Script) {
    let mut room = Room::of(MEMBERS);
    let body = "A message as people write it: not long, with “signs” outside of ASCII and a line\nbreak.";
    let content =
        json!({ "msgtype": "m.text", "body": body, "m.mentions": { "user_ids": [user(3).as_str()] } });
    let draft = room.draft(&user(5), "m.room.message", None, &content);
    let message = draft.clone().sign(VERSION, room.key()).unwrap();
    events(script, &room, &draft, &message);
    rules(script, &room, &message);
    resolution(script, room);
}

fn events(script: &mut Script, room: &Room, draft: &EventDraft, message: &Pdu) {
    script.count("canonical JSON of an event", 20, |_| {
        let object = canonical::parse_object(message.json().as_bytes()).unwrap();
        black_box(canonical::to_text(&object));
    });
    script.count("hash and sign an event", 20, |_| {
        black_box(draft.clone().sign(VERSION, room.key()).unwrap());
    });
    let mut keys = PublicKeys::new();
    keys.insert(server_name!("parvis.test"), room.key().key_id(), &room.key().public_key_base64());
    script.count("read and verify an event", 20, |_| {
        let raw = RawPdu::parse(message.json().as_bytes(), VERSION).unwrap();
        let signed = raw.check_format().unwrap().verify(&keys).unwrap();
        assert!(signed.hash_matches());
    });
}

fn rules(script: &mut Script, room: &Room, message: &Pdu) {
    let state = |kind: &str, key: &str| room.held(kind, key);
    let known = |id: &EventId| room.events.get(id).cloned().map(dag::Known::accepted);
    script.count("judge a message", 20, |_| {
        assert!(matches!(dag::judge(message, known, state, state), dag::Verdict::Accept));
    });
}

/// A partition: on one side somebody else may ban and does, and people change their names; on the other the room
/// is closed and renamed, and others do.
fn resolution(script: &mut Script, mut room: Room) {
    let mut other = room.clone();
    let (creator, second) = (user(0), user(1));
    let levels = json!({ "users": { second.as_str(): 100, user(2).as_str(): 50 } });
    room.set(&creator, "m.room.power_levels", "", &levels);
    for number in 10..20 {
        let banned = user(number);
        room.set(&user(2), "m.room.member", banned.as_str(), &json!({ "membership": "ban" }));
    }
    other.set(&second, "m.room.join_rules", "", &json!({ "join_rule": "invite" }));
    other.set(&second, "m.room.name", "", &json!({ "name": "Another name" }));
    for number in 15..40 {
        let (renamed, content) = (user(number), json!({ "membership": "join", "displayname": "Renamed" }));
        other.set(&renamed, "m.room.member", renamed.as_str(), &content);
    }
    let forks = [room.fork(), other.fork()];
    let mut events: HashMap<OwnedEventId, Pdu> = room.events;
    events.extend(other.events);
    script.count("resolve the state of a room of 1,000 members", 2, |_| {
        let known = |id: &EventId| events.get(id).cloned().map(dag::Known::accepted);
        let fetch = |id: &EventId| events.get(id).cloned();
        let subgraph = |conflicted: &_| Some(dag::conflicted_subgraph(conflicted, fetch));
        let state = dag::resolve(VERSION, forks.to_vec(), known, subgraph).unwrap();
        assert_eq!(state.len(), MEMBERS + 4);
    });
}
