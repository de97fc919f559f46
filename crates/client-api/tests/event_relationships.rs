//! `POST /_matrix/client/unstable/event_relationships`: the tree of replies around an event.

use serde_json::{Value, json};

use crate::world::{Answer, Client, World, on_each_engine};

const PATH: &str = "unstable/event_relationships";

async fn say(world: &World, client: &Client, room: &str, text: &str, reply_to: Option<&str>) -> String {
    let mut body = json!({ "msgtype": "m.text", "body": text });
    if let Some(target) = reply_to {
        body["m.relationship"] = json!({ "rel_type": "m.reference", "event_id": target });
    }
    let path = format!("v3/rooms/{room}/send/m.room.message/{text}");
    let event_id = world.put_as(client, &path, body).await.text("event_id");
    world.wait(1);
    event_id
}

/// A room with `a`, its reply `b`, and that one's replies `c` and `d`; `e` replies to `c`.
async fn tree(world: &World, client: &Client) -> (String, Vec<String>) {
    let room = world.room(client).await;
    let mut events: Vec<String> = Vec::new();
    for (text, target) in [("a", None), ("b", Some(0)), ("c", Some(1)), ("d", Some(1)), ("e", Some(2))] {
        let target = target.map(|target: usize| events[target].clone());
        events.push(say(world, client, &room, text, target.as_deref()).await);
    }
    (room, events)
}

async fn ask(world: &World, client: &Client, event_id: &str, more: Value) -> Answer {
    let mut body = json!({ "event_id": event_id });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    world.post_as(client, PATH, body).await
}

/// What the events of an answer say, in their order, and whether there are more.
fn told(answer: Answer) -> (String, bool) {
    let answer = answer.ok();
    let bodies = answer["events"].as_array().unwrap().iter();
    let bodies = bodies.map(|event| event["content"]["body"].as_str().unwrap()).collect();
    (bodies, answer["limited"].as_bool().unwrap())
}

#[tokio::test]
async fn tree_is_walked_both_ways_within_its_bounds() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let (_, events) = tree(&world, &alice).await;
        for (event, more, expected) in [
            (1, json!({}), "bdce"),
            (1, json!({ "recent_first": false }), "bcde"),
            (1, json!({ "recent_first": false, "depth_first": true }), "bced"),
            (1, json!({ "max_depth": 1 }), "bdc"),
            (1, json!({ "max_breadth": 1 }), "bd"),
            (1, json!({ "max_depth": 0, "include_parent": true }), "ba"),
            (1, json!({ "max_depth": 0, "include_children": true, "recent_first": false }), "bcd"),
            (4, json!({ "direction": "up" }), "ecba"),
            (4, json!({ "direction": "up", "max_depth": 1 }), "ec"),
            (0, json!({ "max_depth": -1, "max_breadth": -1, "recent_first": false }), "abcde"),
        ] {
            let answer = ask(&world, &alice, &events[event], more.clone()).await;
            assert_eq!(told(answer), (expected.to_owned(), false), "{more}");
        }
        let few = ask(&world, &alice, &events[1], json!({ "limit": 2, "recent_first": false })).await;
        assert_eq!(told(few), ("bc".to_owned(), true));
    })
    .await;
}

#[tokio::test]
async fn how_many_replies_there_are_is_said_with_a_hash_over_their_ids() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let (_, events) = tree(&world, &alice).await;
        let answer = ask(&world, &alice, &events[1], json!({ "max_depth": 1 })).await.ok();
        let unsigned = &answer["events"][0]["unsigned"];
        assert_eq!(unsigned["children"], json!({ "m.reference": 2 }));
        assert_eq!(unsigned["children_hash"].as_str().unwrap().len(), 43);
        assert_eq!(answer["events"][1]["unsigned"].get("children"), None, "d has no replies");
    })
    .await;
}

#[tokio::test]
async fn events_that_the_user_may_not_see_are_not_there() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let (room, events) = tree(&world, &alice).await;
        for (client, event) in [(&bob, events[0].as_str()), (&alice, "$none")] {
            let more = json!({ "room_id": room });
            assert_eq!(ask(&world, client, event, more).await.error(), (404, "M_NOT_FOUND"));
        }
        let bad = world.post_as(&alice, PATH, json!({ "direction": "down" })).await;
        assert_eq!(bad.error(), (400, "M_BAD_JSON"));
    })
    .await;
}
