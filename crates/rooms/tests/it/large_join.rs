//! A join into a room with many members, of many servers.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use parvis_events::{EventDraft, Pdu, RoomVersion};
use parvis_rooms::RoomError;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId};
use serde_json::{Value, json};

use crate::{
    across::{Across, across, key_of},
    world::json as raw,
};

/// Enough that the work is shared out over threads, and the events are written in pieces.
const MEMBERS: usize = 4_300;
const SERVERS: usize = 20;
const VERSION: RoomVersion = RoomVersion::V11;

struct Builder {
    room_id: OwnedRoomId,
    events: Vec<Pdu>,
}

impl Builder {
    fn add(&mut self, sender: &str, kind: &str, key: &str, content: &Value, auth: &[usize]) -> usize {
        let sender = OwnedUserId::try_from(sender).unwrap();
        let cited = auth.iter().map(|at| self.events[*at].owned_event_id().clone());
        let prev = self.events.last().map(|event| event.owned_event_id().clone());
        let draft = EventDraft {
            room_id: Some(self.room_id.clone()),
            sender: sender.clone(),
            kind: kind.to_owned(),
            state_key: Some(key.to_owned()),
            content: raw(content),
            redacts: None,
            prev_events: prev.into_iter().collect(),
            auth_events: cited.collect(),
            depth: i64::try_from(self.events.len()).unwrap() + 1,
            origin_server_ts: 1_600_000_000_000,
        };
        let key = key_of(sender.server_name().as_str());
        self.events.push(draft.sign(VERSION, &key).unwrap());
        self.events.len() - 1
    }
}

/// The state of a public room with many members, created at `big.test`.
fn large_room(room_id: &RoomId) -> Vec<Pdu> {
    let mut room = Builder { room_id: room_id.to_owned(), events: Vec::new() };
    let founder = "@founder:big.test";
    let create = room.add(founder, "m.room.create", "", &json!({ "room_version": "11" }), &[]);
    let join = json!({ "membership": "join" });
    let member = room.add(founder, "m.room.member", founder, &join, &[create]);
    let levels = json!({ "users": { founder: 100 } });
    let levels = room.add(founder, "m.room.power_levels", "", &levels, &[create, member]);
    let rules = json!({ "join_rule": "public" });
    let rules = room.add(founder, "m.room.join_rules", "", &rules, &[create, member, levels]);
    for number in 0..MEMBERS {
        let user = format!("@member{number}:server{}.test", number % SERVERS);
        let content = json!({ "membership": "join", "displayname": format!("Member {number}") });
        room.add(&user, "m.room.member", &user, &content, &[create, levels, rules]);
    }
    room.events
}

/// Plays a resident that lets everybody in.
fn play(world: &Across, room_id: &RoomId, state: Vec<Pdu>) {
    let room_id = room_id.to_owned();
    let state = Arc::new(state);
    world.play("big.test", move |path| {
        let values = || {
            state.iter().map(|event| serde_json::from_str::<Value>(event.json()).unwrap()).collect::<Vec<_>>()
        };
        let id = |at: usize| -> OwnedEventId { state[at].owned_event_id().clone() };
        if path.contains("/make_join/") {
            let user = "@bob:b.test";
            let event = json!({
                "type": "m.room.member", "room_id": room_id, "sender": user, "state_key": user,
                "content": { "membership": "join" }, "depth": state.len() + 1,
                "prev_events": [state.last().unwrap().event_id()],
                "auth_events": [id(0), id(2), id(3)],
            });
            return Some(json!({ "room_version": VERSION.as_str(), "event": event }));
        }
        path.contains("/send_join/")
            .then(|| json!({ "state": values(), "auth_chain": values()[..4].to_vec() }))
    });
}

#[tokio::test]
async fn room_of_many_members_is_joined_with_all_of_them() {
    let world = across(&["b.test"]).await;
    let b = world.server("b.test");
    let bob = b.person("bob").await;
    let room_id = RoomId::parse("!large:big.test").unwrap();
    let state = large_room(&room_id);
    let expected = state.len() + 1;
    play(&world, &room_id, state);
    assert!(matches!(b.join(&bob, &room_id, &[]).await, Err(RoomError::UnknownRoom)));
    b.join(&bob, &room_id, &["big.test"]).await.unwrap();
    assert_eq!(b.state(&room_id).await.len(), expected);
    let room = b.rooms.find(&room_id).await.unwrap();
    let (joined, invited) = b.store.members_of_room(room).await.unwrap().counts();
    assert_eq!((joined, invited), (MEMBERS + 2, 0));
    let head = b.store.room_head(room).await.unwrap().unwrap();
    assert_eq!(head.heads.len(), 1);
    // The next event stands on the join.
    let name = raw(&json!({ "name": "x" }));
    assert!(matches!(
        b.rooms.set_state(&bob, &room_id, "m.room.name", "", &name).await,
        Err(RoomError::Forbidden(_))
    ));
    let said = b.rooms.send(
        &bob,
        &room_id,
        parvis_rooms::SendEvent {
            kind: "m.room.message".to_owned(),
            content: raw(&json!({ "body": "hello" })),
            transaction_id: "1".to_owned(),
        },
    );
    let said = said.await.unwrap();
    let said = b.store.event_by_id(&said).await.unwrap().unwrap();
    let member = b.store.member(bob.user, room).await.unwrap().unwrap();
    assert_eq!(said.prev, [member.event]);
}
