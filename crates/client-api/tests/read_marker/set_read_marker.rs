//! `POST /_matrix/client/v3/rooms/{roomId}/read_markers`

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn markers_and_receipts_move_together_and_reach_the_other_device() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let phone = crate::world::client(&world.login("alice", json!({})).await);
    let room = world.post_as(&alice, "v3/createRoom", json!({})).await.text("room_id");
    let path = format!("v3/rooms/{room}/send/m.room.message/1");
    let event =
        world.put_as(&alice, &path, json!({ "msgtype": "m.text", "body": "x" })).await.text("event_id");
    let since = world.get_as(&phone, "v3/sync").await.text("next_batch");
    let body = json!({ "m.fully_read": event, "m.read": event, "m.read.private": event });
    world.post_as(&alice, &format!("v3/rooms/{room}/read_markers"), body).await.ok();
    let answer = world.get_as(&phone, &format!("v3/sync?since={since}&timeout=10000")).await.ok();
    let told = &answer["rooms"]["join"][&room];
    let marker = json!([{ "type": "m.fully_read", "content": { "event_id": event } }]);
    assert_eq!(told["account_data"]["events"], marker);
    let receipts = told["ephemeral"]["events"][0]["content"][&event].as_object().unwrap();
    assert_eq!(receipts.keys().collect::<Vec<_>>(), ["m.read", "m.read.private"]);

    let unknown = json!({ "m.fully_read": "$none", "m.read": event });
    let answer = world.post_as(&alice, &format!("v3/rooms/{room}/read_markers"), unknown).await;
    assert_eq!(answer.error(), (404, "M_NOT_FOUND"));
}
