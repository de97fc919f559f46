//! `POST /_matrix/client/v4/sync`: the form that was accepted.

use serde_json::{Value, json};

use super::{invite, room, rooms, send, set_state};
use crate::world::{Answer, Client, World, on_each_engine};

async fn ask(world: &World, client: &Client, body: &Value) -> Answer {
    world.post_as(client, "v4/sync", body.clone()).await
}

fn body(include: Value) -> Value {
    json!({ "lists": { "all": {
        "range": [0, 19],
        "timeline_limit": 5,
        "required_state": { "include": include, "exclude": [{ "type": "m.room.topic" }], "lazy_members": false },
        "filters": {},
    } } })
}

#[tokio::test]
async fn everything_of_a_request_stands_in_its_body() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let hall = room(&world, &alice, "hall").await;
        set_state(&world, &alice, &hall, "m.room.topic", "", json!({ "topic": "x" })).await;
        let mut body = body(json!([{ "type": "m.room.name", "state_key": "" }, { "type": "m.room.topic" }]));
        let first = ask(&world, &alice, &body).await.ok();
        let told = &first["rooms"][&hall];
        assert_eq!((&told["membership"], &told["lists"]), (&json!("join"), &json!(["all"])));
        assert_eq!((&told["initial"], &told["name"]), (&json!(true), &json!("hall")));
        assert_eq!(told["required_state"].as_array().unwrap().len(), 1, "the topic is left out: {told:#}");
        assert_eq!(told["timeline_events"].as_array().unwrap().len(), 5);
        assert!(told.get("notification_count").is_none() && told.get("timeline").is_none());
        send(&world, &alice, &hall, "hello").await;
        set_state(&world, &alice, &hall, "m.room.name", "", json!({})).await;
        body["pos"] = first["pos"].clone();
        body["timeout"] = json!(10_000);
        let news = ask(&world, &alice, &body).await.ok();
        let told = &news["rooms"][&hall];
        assert_eq!(told["timeline_events"][0]["content"]["body"], "hello");
        assert!(told.get("name").is_some_and(Value::is_null), "the name is gone: {told:#}");
        // A position is a place in history, too.
        let from = first["pos"].as_str().unwrap();
        let path = format!("v3/rooms/{hall}/messages?dir=f&from={from}&limit=1");
        assert_eq!(world.get_as(&alice, &path).await.ok()["chunk"][0]["content"]["body"], "hello");
        body["pos"] = json!("s1_2_3_c4");
        assert_eq!(ask(&world, &alice, &body).await.error(), (400, "M_UNKNOWN_POS"));
    })
    .await;
}

#[tokio::test]
async fn list_without_a_range_holds_all_rooms_and_invitations_show_stripped_state() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let (hall, invited) = (room(&world, &alice, "hall").await, room(&world, &bob, "invited").await);
    invite(&world, &bob, &invited, &alice).await;
    let mut body = body(json!([{}]));
    body["lists"]["all"].as_object_mut().unwrap().remove("range");
    let answer = ask(&world, &alice, &body).await.ok();
    assert_eq!(rooms(&answer).len(), 2);
    assert!(answer["rooms"][&invited]["stripped_state"].is_array());
    assert_eq!(answer["rooms"][&invited]["membership"], "invite");
    assert!(answer["rooms"][&hall]["required_state"].as_array().unwrap().len() > 5);
    body["lists"]["all"]["filters"] = json!({ "is_invited": true });
    assert_eq!(rooms(&ask(&world, &alice, &body).await.ok()), [invited.as_str()]);
    body["set_presence"] = json!("dancing");
    assert_eq!(ask(&world, &alice, &body).await.error(), (400, "M_INVALID_PARAM"));
}

#[tokio::test]
async fn more_than_a_hundred_subscriptions_are_refused() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let wanted = json!({ "timeline_limit": 1, "required_state": {} });
    let rooms: serde_json::Map<String, Value> =
        (0..101).map(|number| (format!("!r{number}:x"), wanted.clone())).collect();
    let answer = ask(&world, &alice, &json!({ "room_subscriptions": rooms })).await;
    assert_eq!(answer.error(), (400, "M_INVALID_PARAM"));
}
