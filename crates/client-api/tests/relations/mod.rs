//! Events that speak of an event, and threads.

use serde_json::{Value, json};

use crate::world::{Answer, Client, World, on_each_engine};

async fn send(world: &World, client: &Client, room: &str, kind: &str, content: Value) -> String {
    let transaction: String = content.to_string().bytes().map(|byte| format!("{byte:02x}")).collect();
    world
        .put_as(client, &format!("v3/rooms/{room}/send/{kind}/{transaction}"), content)
        .await
        .text("event_id")
}

async fn say(world: &World, client: &Client, room: &str, body: &str, root: Option<&str>) -> String {
    let mut content = json!({ "msgtype": "m.text", "body": body });
    if let Some(root) = root {
        content["m.relates_to"] = json!({ "rel_type": "m.thread", "event_id": root });
    }
    send(world, client, room, "m.room.message", content).await
}

async fn react(world: &World, client: &Client, room: &str, event: &str, key: &str) -> String {
    let relation = json!({ "rel_type": "m.annotation", "event_id": event, "key": key });
    send(world, client, room, "m.reaction", json!({ "m.relates_to": relation })).await
}

fn ids(page: &Value) -> Vec<&str> {
    page["chunk"].as_array().unwrap().iter().map(|event| event["event_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn relations_are_found_by_relation_and_by_type() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let room = world.room(&alice).await;
        let root = say(&world, &alice, &room, "root", None).await;
        let answer = say(&world, &alice, &room, "answer", Some(&root)).await;
        let like = react(&world, &alice, &room, &root, "+").await;
        let own = send(
            &world,
            &alice,
            &room,
            "org.example.note",
            json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": root } }),
        )
        .await;

        let path = |rest: &str| format!("v1/rooms/{room}/relations/{root}{rest}");
        let found = async |rest: &str| world.get_as(&alice, &path(rest)).await.ok();
        assert_eq!(ids(&found("").await), [own.as_str(), &like, &answer]);
        assert_eq!(ids(&found("?dir=f").await), [answer.as_str(), &like, &own]);
        assert_eq!(ids(&found("/m.annotation").await), [own.as_str(), &like]);
        assert_eq!(ids(&found("/m.annotation/m.reaction").await), [like.as_str()]);
        assert_eq!(ids(&found("/m.thread/m.reaction").await), [""; 0]);
        let first = found("?limit=2").await;
        assert_eq!(ids(&first), [own.as_str(), &like]);
        let next = first["next_batch"].as_str().unwrap();
        assert_eq!(ids(&found(&format!("?limit=2&from={next}")).await), [answer.as_str()]);
        // Who is not in the room does not learn whether the event is there.
        for rest in ["", "/m.annotation", "/m.annotation/m.reaction"] {
            assert_eq!(world.get_as(&bob, &path(rest)).await.error(), (404, "M_NOT_FOUND"), "{rest}");
        }
    })
    .await;
}

#[tokio::test]
async fn relations_of_relations_are_found_where_they_are_asked_for() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = world.room(&alice).await;
        let root = say(&world, &alice, &room, "root", None).await;
        let answer = say(&world, &alice, &room, "answer", Some(&root)).await;
        let like = react(&world, &alice, &room, &answer, "+").await;
        let found = async |query: &str| {
            world.get_as(&alice, &format!("v1/rooms/{room}/relations/{root}{query}")).await.ok()
        };
        assert_eq!(ids(&found("").await), [answer.as_str()]);
        let all = found("?recurse=true").await;
        assert_eq!(ids(&all), [like.as_str(), &answer]);
        assert!(all["recursion_depth"].as_u64().is_some_and(|depth| depth >= 2), "{all:#}");
    })
    .await;
}

#[tokio::test]
async fn threads_are_listed_by_their_last_answer_and_by_who_took_part() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let room = world.room(&alice).await;
        let list = async |client: &Client, query: &str| -> Answer {
            world.get_as(client, &format!("v1/rooms/{room}/threads{query}")).await
        };
        assert_eq!(list(&alice, "").await.ok()["chunk"], json!([]));
        assert_eq!(list(&bob, "").await.status, 403);
        let invite = json!({ "user_id": "@bob:parvis.test" });
        world.post_as(&alice, &format!("v3/rooms/{room}/invite"), invite).await.ok();
        world.post_as(&bob, &format!("v3/join/{room}"), json!({})).await.ok();
        let one = say(&world, &alice, &room, "one", None).await;
        let other = say(&world, &alice, &room, "other", None).await;
        say(&world, &alice, &room, "to the other", Some(&other)).await;
        let last = say(&world, &bob, &room, "to the one", Some(&one)).await;

        let all = list(&alice, "").await.ok();
        assert_eq!(ids(&all), [one.as_str(), &other]);
        let summary = &all["chunk"][0]["unsigned"]["m.relations"]["m.thread"];
        assert_eq!(
            (&summary["count"], &summary["latest_event"]["event_id"], &summary["current_user_participated"]),
            (&json!(1), &json!(last), &json!(true)),
            "whoever has written the root has taken part"
        );
        assert_eq!(ids(&list(&bob, "?include=participated").await.ok()), [one.as_str()]);
        let first = list(&alice, "?limit=1").await.ok();
        assert_eq!(ids(&first), [one.as_str()]);
        let next = first["next_batch"].as_str().unwrap();
        assert_eq!(ids(&list(&alice, &format!("?limit=1&from={next}")).await.ok()), [other.as_str()]);
    })
    .await;
}
