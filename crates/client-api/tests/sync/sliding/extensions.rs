//! What is told beside rooms.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Connection, all, join, room, rooms, send};
use crate::world::{Client, World, on_each_engine};

/// A connection without lists that has these extensions.
fn connection(client: &Client, extensions: Value) -> Connection {
    Connection::new(client, json!({ "conn_id": "x", "extensions": extensions }))
}

/// A connection with a window on all rooms and one extension.
fn with_rooms(client: &Client, name: &str) -> Connection {
    let mut body = all(9, 10, json!([]));
    body["extensions"] = json!({ name: { "enabled": true } });
    Connection::new(client, body)
}

async fn tell_device(world: &World, from: &Client, to: &Client, text: &str) {
    let body = json!({ "messages": { &to.user_id: { &to.device_id: { "body": text } } } });
    world.put_as(from, &format!("v3/sendToDevice/org.example.note/{text}"), body).await.ok();
}

fn texts(answer: &Value) -> Vec<&str> {
    let events = answer["extensions"]["to_device"]["events"].as_array().unwrap();
    events.iter().map(|event| event["content"]["body"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn messages_to_the_device_stay_until_it_says_that_it_has_them() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let mut phone = connection(&bob, json!({ "to_device": { "enabled": true, "limit": 2 } }));
        for text in ["a", "b", "c"] {
            tell_device(&world, &alice, &bob, text).await;
        }
        let first = phone.next(&world).await;
        assert_eq!(texts(&first), ["a", "b"]);
        // A new position acknowledges nothing.
        let again = phone.next(&world).await;
        assert_eq!(texts(&again), ["a", "b"]);
        phone.body["extensions"]["to_device"]["since"] =
            again["extensions"]["to_device"]["next_batch"].clone();
        let rest = phone.next(&world).await;
        assert_eq!(texts(&rest), ["c"]);
        phone.body["extensions"]["to_device"]["since"] =
            rest["extensions"]["to_device"]["next_batch"].clone();
        let none = phone.next(&world).await;
        assert!(texts(&none).is_empty() && none["extensions"]["to_device"]["next_batch"].is_string());
        // What it had is gone, also for who begins anew.
        let mut anew = connection(&bob, json!({ "to_device": { "enabled": true } }));
        assert!(texts(&anew.next(&world).await).is_empty());
    })
    .await;
}

#[tokio::test]
async fn message_to_the_device_ends_the_wait_at_once() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let mut phone =
        connection(&bob, json!({ "to_device": { "enabled": true }, "e2ee": { "enabled": true } }));
    phone.next(&world).await;
    let telling = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        tell_device(&world, &alice, &bob, "a").await;
    };
    let (news, ()) = tokio::join!(phone.wait(&world), telling);
    assert_eq!(texts(&news), ["a"]);
}

#[tokio::test]
async fn what_encryption_needs_is_told_with_counts_always_and_lists_from_the_second_answer_on() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let hall = room(&world, &alice, "hall").await;
        let mut phone = connection(&alice, json!({ "e2ee": { "enabled": true } }));
        let first = phone.next(&world).await;
        let e2ee = &first["extensions"]["e2ee"];
        assert_eq!(e2ee["device_one_time_keys_count"], json!({ "signed_curve25519": 0 }));
        assert_eq!((&e2ee["device_unused_fallback_key_types"], e2ee.get("device_lists")), (&json!([]), None));
        join(&world, &bob, &hall).await;
        let news = phone.wait(&world).await;
        let lists = &news["extensions"]["e2ee"]["device_lists"];
        assert_eq!(*lists, json!({ "changed": [bob.user_id], "left": [] }));
        assert!(news["extensions"]["e2ee"]["device_one_time_keys_count"].is_object());
        assert_eq!(phone.next(&world).await["extensions"]["e2ee"]["device_lists"]["changed"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn account_data_is_told_whole_and_then_as_it_changes() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let (low, top) = (room(&world, &alice, "low").await, room(&world, &alice, "top").await);
        let base = format!("v3/user/{}", alice.user_id);
        let tag = |hall: &str, tag: &str| format!("{base}/rooms/{hall}/tags/{tag}");
        world.put_as(&alice, &format!("{base}/account_data/org.x"), json!({ "n": 1 })).await.ok();
        world.put_as(&alice, &tag(&low, "u.a"), json!({})).await.ok();
        world.put_as(&alice, &tag(&top, "u.b"), json!({})).await.ok();
        let mut phone = with_rooms(&alice, "account_data");
        phone.body["lists"]["all"]["ranges"] = json!([[0, 0]]);
        let first = phone.next(&world).await;
        let data = &first["extensions"]["account_data"];
        let kinds: Vec<&str> =
            data["global"].as_array().unwrap().iter().map(|data| data["type"].as_str().unwrap()).collect();
        assert!(kinds.contains(&"org.x") && kinds.contains(&"m.push_rules"), "{kinds:?}");
        assert_eq!(data["rooms"][&top][0]["content"]["tags"], json!({ "u.b": {} }));
        assert!(data["rooms"].get(&low).is_none(), "it is outside of the window");
        world.put_as(&alice, &format!("{base}/account_data/org.x"), json!({ "n": 2 })).await.ok();
        world.put_as(&alice, &tag(&top, "u.c"), json!({})).await.ok();
        world.put_as(&alice, &tag(&low, "u.d"), json!({})).await.ok();
        let news = phone.wait(&world).await;
        let data = &news["extensions"]["account_data"];
        assert_eq!(data["global"], json!([{ "type": "org.x", "content": { "n": 2 } }]));
        assert_eq!(data["rooms"].as_object().unwrap().len(), 1);
        assert!(rooms(&news).is_empty() && data["rooms"][&top][0]["type"] == "m.tag");
        phone.body["lists"]["all"]["ranges"] = json!([[0, 1]]);
        let grown = phone.next(&world).await;
        let data = &grown["extensions"]["account_data"];
        assert_eq!(data["rooms"][&low][0]["content"]["tags"], json!({ "u.a": {}, "u.d": {} }));
        assert!(data["rooms"].get(&top).is_none() && data["global"] == json!([]));
        // What changes outside of the window is told when the room comes back.
        phone.body["lists"]["all"]["ranges"] = json!([[0, 0]]);
        phone.next(&world).await;
        world.put_as(&alice, &tag(&low, "u.e"), json!({})).await.ok();
        assert_eq!(phone.next(&world).await["extensions"]["account_data"]["rooms"], json!({}));
        phone.body["lists"]["all"]["ranges"] = json!([[0, 1]]);
        let back = phone.next(&world).await;
        let tags = &back["extensions"]["account_data"]["rooms"][&low][0]["content"]["tags"];
        assert_eq!(*tags, json!({ "u.a": {}, "u.d": {}, "u.e": {} }));
    })
    .await;
}

#[tokio::test]
async fn receipts_are_told_where_the_timeline_is_and_others_private_ones_never() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let hall = room(&world, &alice, "hall").await;
        join(&world, &bob, &hall).await;
        let old = send(&world, &alice, &hall, "old").await;
        let read = async |client: &Client, kind: &str, event: &str| {
            let path = format!("v3/rooms/{hall}/receipt/{kind}/{event}");
            world.post_as(client, &path, json!({})).await.ok();
        };
        read(&bob, "m.read", &old).await;
        let new = send(&world, &alice, &hall, "new").await;
        let mut phone = with_rooms(&alice, "receipts");
        phone.body["lists"]["all"]["timeline_limit"] = json!(1);
        let first = phone.next(&world).await;
        assert_eq!(first["extensions"]["receipts"]["rooms"], json!({}), "it stands at what is not told");
        phone.body["lists"]["all"]["timeline_limit"] = json!(2);
        let more = phone.next(&world).await;
        let content = &more["extensions"]["receipts"]["rooms"][&hall]["content"];
        assert!(content[&old]["m.read"][&bob.user_id]["ts"].is_i64(), "{more:#}");
        read(&bob, "m.read.private", &new).await;
        assert_eq!(phone.next(&world).await["extensions"]["receipts"]["rooms"], json!({}));
        read(&bob, "m.read", &new).await;
        let news = phone.wait(&world).await;
        let told = &news["extensions"]["receipts"]["rooms"][&hall];
        assert_eq!(told["type"], "m.receipt");
        assert!(told["content"][&new]["m.read"][&bob.user_id].is_object() && rooms(&news).is_empty());
        read(&alice, "m.read.private", &new).await;
        let own = phone.wait(&world).await;
        let content = &own["extensions"]["receipts"]["rooms"][&hall]["content"];
        assert!(content[&new]["m.read.private"][&alice.user_id].is_object());
    })
    .await;
}

#[tokio::test]
async fn typing_is_told_when_it_begins_and_when_it_ends() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let hall = room(&world, &alice, "hall").await;
    join(&world, &bob, &hall).await;
    let mut phone = with_rooms(&alice, "typing");
    phone.next(&world).await;
    let path = format!("v3/rooms/{hall}/typing/{}", bob.user_id);
    world.put_as(&bob, &path, json!({ "typing": true, "timeout": 30_000 })).await.ok();
    let news = phone.wait(&world).await;
    let expected = json!({ "type": "m.typing", "content": { "user_ids": [bob.user_id] } });
    assert_eq!(news["extensions"]["typing"]["rooms"][&hall], expected);
    // Who comes now is told, too.
    assert_eq!(
        with_rooms(&alice, "typing").next(&world).await["extensions"]["typing"]["rooms"][&hall],
        expected
    );
    let mut phone = with_rooms(&alice, "typing");
    phone.next(&world).await;
    world.put_as(&bob, &path, json!({ "typing": false })).await.ok();
    let news = phone.wait(&world).await;
    assert_eq!(news["extensions"]["typing"]["rooms"][&hall]["content"]["user_ids"], json!([]));
    assert_eq!(phone.next(&world).await["extensions"]["typing"]["rooms"], json!({}));
}

#[tokio::test]
async fn extension_keeps_to_the_lists_and_rooms_that_it_names() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let (low, top) = (room(&world, &alice, "low").await, room(&world, &alice, "top").await);
    for hall in [&low, &top] {
        join(&world, &bob, hall).await;
    }
    let mut phone = with_rooms(&alice, "typing");
    phone.body["lists"]["all"]["ranges"] = json!([[0, 0]]);
    phone.body["room_subscriptions"] = json!({ &low: { "timeline_limit": 1, "required_state": [] } });
    let cases = [
        (json!({ "enabled": true }), vec![&low, &top]),
        (json!({ "enabled": true, "lists": ["*"], "rooms": ["*"] }), vec![&low, &top]),
        (json!({ "enabled": true, "lists": [] }), vec![&low]),
        (json!({ "enabled": true, "rooms": [] }), vec![&top]),
        (json!({ "enabled": true, "lists": ["none"], "rooms": [&low] }), vec![&low]),
        (json!({ "enabled": true, "lists": ["all"], "rooms": ["!x:y"] }), vec![&top]),
        (json!({ "enabled": false }), vec![]),
    ];
    for (wanted, mut expected) in cases {
        phone.body["extensions"]["typing"] = wanted.clone();
        phone.pos = None;
        phone.next(&world).await;
        for (hall, typing) in [(&low, true), (&top, true)] {
            let path = format!("v3/rooms/{hall}/typing/{}", bob.user_id);
            world.put_as(&bob, &path, json!({ "typing": typing, "timeout": 30_000 })).await.ok();
        }
        let news = phone.next(&world).await;
        let told = news["extensions"]["typing"]["rooms"].as_object().cloned().unwrap_or_default();
        expected.sort();
        assert_eq!(told.keys().collect::<Vec<_>>(), expected, "{wanted}");
        for hall in [&low, &top] {
            let path = format!("v3/rooms/{hall}/typing/{}", bob.user_id);
            world.put_as(&bob, &path, json!({ "typing": false })).await.ok();
        }
    }
}

#[tokio::test]
async fn threads_that_are_followed_are_told_and_where_there_are_too_many_how_to_ask_for_the_rest() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let hall = room(&world, &alice, "hall").await;
    let mut roots = Vec::new();
    let path = |root: &str| format!("unstable/io.element.msc4306/rooms/{hall}/thread/{root}/subscription");
    for text in ["a", "b", "c"] {
        let root = send(&world, &alice, &hall, text).await;
        world.put_as(&alice, &path(&root), json!({})).await.ok();
        roots.push(root);
    }
    let name = "io.element.msc4308.thread_subscriptions";
    let mut phone = connection(&alice, json!({ name: { "enabled": true, "limit": 2 } }));
    let first = phone.next(&world).await;
    let told = &first["extensions"][name];
    let threads = told["subscribed"][&hall].as_object().unwrap();
    assert!(threads.len() == 2 && threads.contains_key(&roots[2]), "{told:#}");
    let from = told["prev_batch"].as_str().unwrap();
    let rest = format!("unstable/io.element.msc4308/thread_subscriptions?dir=b&from={from}");
    let rest = world.get_as(&alice, &rest).await.ok();
    assert!(rest["subscribed"][&hall].as_object().unwrap().contains_key(&roots[0]), "{rest:#}");
    assert!(phone.next(&world).await["extensions"].get(name).is_none(), "nothing has changed");
    world.delete_as(&alice, &path(&roots[0]), json!({})).await.ok();
    let news = phone.wait(&world).await;
    let told = &news["extensions"][name];
    assert!(
        told["unsubscribed"][&hall][&roots[0]].is_object() && told.get("prev_batch").is_none(),
        "{told:#}"
    );
}
