//! `POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}`

use serde_json::{Value, json};

use crate::world::{Client, World};

/// A room with a message and a reply to it in a thread.
async fn thread(world: &World, alice: &Client) -> (String, String, String) {
    let room = world.post_as(alice, "v3/createRoom", json!({})).await.text("room_id");
    let send = async |transaction: &str, body: Value| {
        let path = format!("v3/rooms/{room}/send/m.room.message/{transaction}");
        world.put_as(alice, &path, body).await.text("event_id")
    };
    let root = send("1", json!({ "msgtype": "m.text", "body": "root" })).await;
    let relation = json!({ "rel_type": "m.thread", "event_id": root });
    let reply = send("2", json!({ "msgtype": "m.text", "body": "reply", "m.relates_to": relation })).await;
    (room, root, reply)
}

async fn ephemeral(world: &World, client: &Client, room: &str) -> Value {
    let answer = world.get_as(client, "v3/sync").await.ok();
    answer["rooms"]["join"][room]["ephemeral"]["events"].clone()
}

#[tokio::test]
async fn receipt_is_told_without_its_room() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let (room, root, reply) = thread(&world, &alice).await;
    let user = &alice.user_id;
    let post = async |event: &str, body: Value| {
        world.post_as(&alice, &format!("v3/rooms/{room}/receipt/m.read/{event}"), body).await.ok();
    };
    post(&root, json!({ "thread_id": "main" })).await;
    let ts = 1_700_000_000_000_i64;
    let main = json!([{ "type": "m.receipt", "content": {
        (&root): { "m.read": { (user): { "ts": ts, "thread_id": "main" } } },
    } }]);
    assert_eq!(ephemeral(&world, &alice, &room).await, main);
    post(&reply, json!({})).await;
    post(&reply, json!({ "thread_id": root })).await;
    let both = json!([{ "type": "m.receipt", "content": {
        (&root): { "m.read": { (user): { "ts": ts, "thread_id": "main" } } },
        (&reply): { "m.read": { (user): { "ts": ts } } },
    } }]);
    assert_eq!(ephemeral(&world, &alice, &room).await, both, "the one that speaks of everything goes first");
}

#[tokio::test]
async fn receipt_that_makes_no_sense_is_refused() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let (room, root, reply) = thread(&world, &alice).await;
    let cases = [
        ("m.read", reply.as_str(), json!({ "thread_id": "main" }), (400, "M_INVALID_PARAM")),
        ("m.read", root.as_str(), json!({ "thread_id": "nothread" }), (400, "M_INVALID_PARAM")),
        ("m.read", root.as_str(), json!({ "thread_id": "" }), (400, "M_INVALID_PARAM")),
        ("m.fully_read", root.as_str(), json!({ "thread_id": "main" }), (400, "M_INVALID_PARAM")),
        ("m.unheard", root.as_str(), json!({}), (400, "M_INVALID_PARAM")),
        ("m.read", "$none", json!({}), (404, "M_NOT_FOUND")),
    ];
    for (kind, event, body, error) in cases {
        let path = format!("v3/rooms/{room}/receipt/{kind}/{event}");
        assert_eq!(world.post_as(&alice, &path, body.clone()).await.error(), error, "{kind} {body}");
    }
    let path = format!("v3/rooms/{room}/receipt/m.read/{root}");
    assert_eq!(world.post_as(&bob, &path, json!({})).await.error(), (403, "M_FORBIDDEN"));
}
