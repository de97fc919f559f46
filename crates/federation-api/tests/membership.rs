//! Joining and leaving in the older form, whose answers are lists.

use http::Method;
use parvis_events::{EventDraft, Pdu, RoomVersion};
use ruma::RoomId;
use serde_json::{Value, json, value::to_raw_value};

use crate::world::{Asked, THERE, World, encode, key_of, on_each_engine};

const BOB: &str = "@bob:remote.test";

/// The event of a template, as the asking server makes it.
fn event(template: &Value, room_id: &RoomId) -> Pdu {
    let event = &template["event"];
    let ids = |field: &str| serde_json::from_value(event[field].clone()).unwrap();
    let draft = EventDraft {
        room_id: Some(room_id.to_owned()),
        sender: BOB.try_into().unwrap(),
        kind: "m.room.member".to_owned(),
        state_key: Some(BOB.to_owned()),
        content: to_raw_value(&event["content"]).unwrap(),
        redacts: None,
        prev_events: ids("prev_events"),
        auth_events: ids("auth_events"),
        depth: event["depth"].as_i64().unwrap(),
        origin_server_ts: crate::world::START,
    };
    draft.sign(RoomVersion::V12, &key_of(THERE)).unwrap()
}

async fn hand_in(world: &World, action: &str, room_id: &RoomId) -> Value {
    let path = format!("/_matrix/federation/v1/make_{action}/{}/{}?ver=12", encode(room_id), encode(BOB));
    let event = event(&world.get(&path).await.ok(), room_id);
    let id = encode(event.event_id());
    let path = format!("/_matrix/federation/v1/send_{action}/{}/{id}", encode(room_id));
    let body = serde_json::from_str(event.json()).unwrap();
    world.send(Asked { method: Method::PUT, body, ..Asked::get(&path) }.request()).await.ok()
}

#[tokio::test]
async fn server_joins_and_leaves_in_the_older_form() {
    on_each_engine(async |world: World| {
        let alice = world.person("@alice:parvis.test").await;
        let room_id = world.room(&alice, &[]).await;
        let joined = hand_in(&world, "join", &room_id).await;
        assert_eq!(joined[0], 200);
        let state = joined[1]["state"].as_array().unwrap();
        assert!(state.iter().any(|event| event["type"] == "m.room.create"), "{joined:#}");
        assert!(joined[1]["auth_chain"].is_array());
        let path = format!("/_matrix/federation/v1/make_join/{}/{}?ver=12", encode(&room_id), encode(BOB));
        assert_eq!(world.get(&path).await.ok()["event"]["content"]["membership"], "join");

        assert_eq!(hand_in(&world, "leave", &room_id).await, json!([200, {}]));
        let user = world.store.find_user(BOB.try_into().unwrap()).await.unwrap().unwrap();
        let room = world.api.rooms.find(&room_id).await.unwrap();
        let member = world.store.member(user, room).await.unwrap().unwrap();
        assert!(!member.is_joined());
    })
    .await;
}
