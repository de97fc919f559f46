//! `PUT /_matrix/client/v3/presence/{userId}/status`

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn presence_reaches_those_who_share_a_room() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let room =
        world.post_as(&alice, "v3/createRoom", json!({ "preset": "public_chat" })).await.text("room_id");
    world.post_as(&bob, &format!("v3/join/{room}"), json!({})).await.ok();
    let since = world.get_as(&bob, "v3/sync?set_presence=offline").await.text("next_batch");
    let path = format!("v3/presence/{}/status", alice.user_id);
    world.put_as(&alice, &path, json!({ "presence": "unavailable", "status_msg": "at lunch" })).await.ok();
    world.wait(3);
    let answer = world.get_as(&bob, &format!("v3/sync?set_presence=offline&since={since}")).await.ok();
    let expected = json!([{ "type": "m.presence", "sender": alice.user_id, "content": {
        "presence": "unavailable", "status_msg": "at lunch", "last_active_ago": 3_000, "currently_active": false,
    } }]);
    assert_eq!(answer["presence"]["events"], expected);
    let path = format!("v3/presence/{}/status", bob.user_id);
    let of_another = world.put_as(&alice, &path, json!({ "presence": "online" })).await;
    assert_eq!(of_another.error(), (403, "M_FORBIDDEN"));
}
