//! `PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}`

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn who_types_is_told_to_the_room_until_it_is_over() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let room =
        world.post_as(&alice, "v3/createRoom", json!({ "preset": "public_chat" })).await.text("room_id");
    world.post_as(&bob, &format!("v3/join/{room}"), json!({})).await.ok();
    let since = world.get_as(&bob, "v3/sync").await.text("next_batch");
    let path = format!("v3/rooms/{room}/typing/{}", alice.user_id);
    world.put_as(&alice, &path, json!({ "typing": true, "timeout": 20_000 })).await.ok();
    let answer = world.get_as(&bob, &format!("v3/sync?timeout=10000&since={since}")).await.ok();
    let ephemeral = &answer["rooms"]["join"][&room]["ephemeral"]["events"];
    assert_eq!(*ephemeral, json!([{ "type": "m.typing", "content": { "user_ids": [alice.user_id] } }]));
    let since = answer["next_batch"].as_str().unwrap();
    world.put_as(&alice, &path, json!({ "typing": false })).await.ok();
    let answer = world.get_as(&bob, &format!("v3/sync?timeout=10000&since={since}")).await.ok();
    let users = &answer["rooms"]["join"][&room]["ephemeral"]["events"][0]["content"]["user_ids"];
    assert_eq!(*users, json!([]));
}

#[tokio::test]
async fn typing_is_for_oneself_and_in_rooms_in_which_one_is() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let room = world.post_as(&alice, "v3/createRoom", json!({})).await.text("room_id");
    let body = json!({ "typing": true, "timeout": 20_000 });
    for user in [&alice, &bob] {
        let path = format!("v3/rooms/{room}/typing/{}", user.user_id);
        assert_eq!(world.put_as(&bob, &path, body.clone()).await.error(), (403, "M_FORBIDDEN"));
    }
    let path = format!("v3/rooms/!none:parvis.test/typing/{}", alice.user_id);
    assert_eq!(world.put_as(&alice, &path, body).await.error(), (403, "M_FORBIDDEN"));
}
