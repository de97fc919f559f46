//! What there was before `/sync`.

use serde_json::json;

use crate::world::{Client, World, on_each_engine};

async fn say(world: &World, client: &Client, room: &str, text: &str) -> String {
    let path = format!("v3/rooms/{room}/send/m.room.message/{text}");
    let sent = world.put_as(client, &path, json!({ "msgtype": "m.text", "body": text })).await;
    sent.text("event_id")
}

#[tokio::test]
async fn rooms_are_told_as_they_are_and_then_what_is_new() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let room = world.room(&alice).await;
        say(&world, &alice, &room, "before").await;
        let invitation = world.room(&bob).await;
        let invite = json!({ "user_id": "@alice:parvis.test" });
        world.post_as(&bob, &format!("v3/rooms/{invitation}/invite"), invite).await.ok();

        let all = world.get_as(&alice, "v3/initialSync?limit=1").await.ok();
        let rooms = all["rooms"].as_array().unwrap();
        let find = |id: &str| rooms.iter().find(|room| room["room_id"] == id).unwrap();
        let own = find(&room);
        assert_eq!((&own["membership"], &own["visibility"]), (&json!("join"), &json!("private")));
        assert_eq!(own["messages"]["chunk"][0]["content"]["body"], "before");
        assert_eq!(own["messages"]["chunk"].as_array().unwrap().len(), 1);
        assert!(own["state"].as_array().unwrap().iter().any(|event| event["type"] == "m.room.create"));
        assert_eq!(find(&invitation)["membership"], "invite");
        assert_eq!(find(&invitation)["invite"]["content"]["membership"], "invite");

        let end = all["end"].as_str().unwrap();
        assert_eq!(world.get_as(&alice, &format!("v3/events?from={end}")).await.ok()["chunk"], json!([]));
        let id = say(&world, &alice, &room, "after").await;
        let news = world.get_as(&alice, &format!("v3/events?from={end}&timeout=1000")).await.ok();
        let message = news["chunk"].as_array().unwrap().iter().find(|event| event["event_id"] == id.as_str());
        assert_eq!(message.unwrap()["room_id"], room.as_str());
        assert_eq!(news["start"], end);
        let elsewhere = format!("v3/events?from={end}&room_id={invitation}");
        assert_eq!(world.get_as(&alice, &elsewhere).await.ok()["chunk"], json!([]));
        assert_eq!(world.get_as(&alice, "v3/events?from=x").await.error(), (400, "M_INVALID_PARAM"));
    })
    .await;
}

#[tokio::test]
async fn room_is_told_to_those_who_are_in_it() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let room = world.room(&alice).await;
    for text in ["one", "two"] {
        say(&world, &alice, &room, text).await;
    }
    let path = format!("v3/rooms/{room}/initialSync?limit=2");
    let told = world.get_as(&alice, &path).await.ok();
    let texts: Vec<_> =
        told["messages"]["chunk"].as_array().unwrap().iter().map(|e| &e["content"]["body"]).collect();
    assert_eq!(texts, ["one", "two"]);
    assert_eq!(told["membership"], "join");
    let start = told["messages"]["start"].as_str().unwrap();
    let earlier =
        world.get_as(&alice, &format!("v3/rooms/{room}/messages?dir=b&limit=1&from={start}")).await.ok();
    assert_ne!(earlier["chunk"][0]["type"], "m.room.message", "{earlier}");
    assert_eq!(world.get_as(&bob, &path).await.error(), (403, "M_FORBIDDEN"));
}

#[tokio::test]
async fn event_is_found_without_its_room_by_those_who_may_see_it() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let room = world.room(&alice).await;
    let id = say(&world, &alice, &room, "here").await;
    assert_eq!(world.get_as(&alice, &format!("v3/events/{id}")).await.ok()["content"]["body"], "here");
    assert_eq!(world.get_as(&bob, &format!("v3/events/{id}")).await.error(), (404, "M_NOT_FOUND"));
    assert_eq!(world.get_as(&alice, "v3/events/$none").await.error(), (404, "M_NOT_FOUND"));
}
