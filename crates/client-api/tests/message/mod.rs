//! Sending and reading messages.

use serde_json::{Value, json};

use crate::world::{Client, World, on_each_engine};

async fn say(world: &World, client: &Client, room: &str, text: &str, relation: Value) -> String {
    let path = format!("v3/rooms/{room}/send/m.room.message/{text}");
    let mut content = json!({ "msgtype": "m.text", "body": text });
    if !relation.is_null() {
        content["m.relates_to"] = relation;
    }
    world.put_as(client, &path, content).await.text("event_id")
}

/// The texts of the messages that pass a filter, oldest first.
async fn texts(world: &World, client: &Client, room: &str, filter: Value) -> Vec<String> {
    let filter: String = filter.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    let page =
        world.get_as(client, &format!("v3/rooms/{room}/messages?dir=f&limit=50&filter={filter}")).await.ok();
    let events = page["chunk"].as_array().unwrap().iter();
    events.filter_map(|event| event["content"]["body"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn messages_are_filtered_by_relations() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let room = world.room(&alice).await;
        let invite = json!({ "user_id": "@bob:parvis.test" });
        world.post_as(&alice, &format!("v3/rooms/{room}/invite"), invite).await.ok();
        world.post_as(&bob, &format!("v3/join/{room}"), json!({})).await.ok();
        let root = say(&world, &alice, &room, "root", Value::Null).await;
        let other = say(&world, &alice, &room, "other", Value::Null).await;
        let relation = |kind: &str, id: &str| json!({ "rel_type": kind, "event_id": id });
        say(&world, &alice, &room, "thread", relation("m.thread", &root)).await;
        say(&world, &bob, &room, "reference", relation("m.reference", &other)).await;

        for prefix in ["", "org.matrix.msc3874."] {
            let filter = |field: &str, kinds: &[&str]| json!({ "types": ["m.room.message"], format!("{prefix}{field}"): kinds });
            assert_eq!(texts(&world, &alice, &room, filter("rel_types", &["m.thread"])).await, ["thread"]);
            let both = filter("rel_types", &["m.thread", "m.reference"]);
            assert_eq!(texts(&world, &alice, &room, both).await, ["thread", "reference"]);
            let not = filter("not_rel_types", &["m.thread"]);
            assert_eq!(texts(&world, &alice, &room, not).await, ["root", "other", "reference"]);
        }
        let by = |kinds: Value, senders: Value| json!({ "related_by_rel_types": kinds, "related_by_senders": senders });
        assert_eq!(texts(&world, &alice, &room, json!({ "related_by_rel_types": ["m.thread"] })).await, ["root"]);
        let of_bob = json!({ "related_by_senders": ["@bob:parvis.test"] });
        assert_eq!(texts(&world, &alice, &room, of_bob).await, ["other"]);
        let neither = by(json!(["m.thread"]), json!(["@bob:parvis.test"]));
        assert!(texts(&world, &alice, &room, neither).await.is_empty());
    })
    .await;
}
