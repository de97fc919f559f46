//! `PUT /sendToDevice/{eventType}/{txnId}`, and the messages in a sync.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    keys::next,
    world::{Client, World, client, on_each_engine},
};

async fn send(world: &World, sender: &Client, transaction: &str, messages: Value) {
    let path = format!("v3/sendToDevice/m.test/{transaction}");
    let answer = world.put_as(sender, &path, json!({ "messages": messages })).await.ok();
    assert_eq!(answer, json!({}));
}

/// What the messages in an answer say.
fn bodies(sync: &Value) -> Vec<i64> {
    let events = sync["to_device"]["events"].as_array().unwrap();
    events.iter().map(|event| event["content"]["n"].as_i64().unwrap()).collect()
}

fn to(client: &Client, n: i64) -> Value {
    json!({ (client.user_id.as_str()): { (client.device_id.as_str()): { "n": n } } })
}

#[tokio::test]
async fn message_is_told_until_the_client_comes_back_with_the_next_token() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let start = next(&world.sync(&bob, "").await);
        send(&world, &alice, "1", to(&bob, 1)).await;
        let first = world.sync(&bob, &start).await;
        let expected = json!({ "type": "m.test", "sender": alice.user_id, "content": { "n": 1 } });
        assert_eq!(first["to_device"]["events"], json!([expected]));
        assert_eq!(bodies(&world.sync(&bob, &start).await), [1], "the answer was lost");
        assert_eq!(bodies(&world.sync(&bob, "").await), [1], "a client that begins anew has it not yet");
        send(&world, &alice, "2", to(&bob, 2)).await;
        assert_eq!(bodies(&world.sync(&bob, &next(&first)).await), [2]);
        assert_eq!(bodies(&world.sync(&bob, "").await), [2], "the first one is gone for ever");
    })
    .await;
}

#[tokio::test]
async fn more_messages_than_an_answer_holds_come_in_order_and_none_twice() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let mut since = next(&world.sync(&bob, "").await);
        for n in 0..250 {
            send(&world, &alice, &n.to_string(), to(&bob, n)).await;
        }
        let mut all = Vec::new();
        for count in [100, 100, 50, 0] {
            let answer = world.sync(&bob, &since).await;
            assert_eq!(bodies(&answer).len(), count);
            all.extend(bodies(&answer));
            since = next(&answer);
        }
        assert_eq!(all, (0..250).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn transaction_that_is_repeated_sends_once() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        for _ in 0..2 {
            send(&world, &alice, "same", to(&bob, 1)).await;
        }
        assert_eq!(bodies(&world.sync(&bob, "").await), [1]);
        let phone = client(&world.login("alice", json!({})).await);
        send(&world, &phone, "same", to(&bob, 2)).await;
        assert_eq!(bodies(&world.sync(&bob, "").await), [1, 2], "transactions are those of a device");
    })
    .await;
}

#[tokio::test]
async fn star_is_all_devices_and_a_device_by_name_goes_before_it() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let phone = client(&world.login("alice", json!({ "device_id": "PHONE" })).await);
        let messages =
            json!({ (alice.user_id.as_str()): { "*": { "n": 1 }, "PHONE": { "n": 2 }, "NONE": { "n": 3 } } });
        send(&world, &alice, "1", messages).await;
        assert_eq!(bodies(&world.sync(&alice, "").await), [1]);
        assert_eq!(bodies(&world.sync(&phone, "").await), [2]);
        send(&world, &alice, "2", json!({ "@nobody:parvis.test": { "*": { "n": 4 } } })).await;
    })
    .await;
}

#[tokio::test]
async fn message_wakes_a_sync_that_waits() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let since = next(&world.sync(&bob, "").await);
        let waiting = tokio::spawn({
            let (world, bob) = (world.handle(), bob.clone());
            async move { world.get_as(&bob, &format!("v3/sync?timeout=60000&since={since}")).await.ok() }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        send(&world, &alice, "1", to(&bob, 7)).await;
        let answer = tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
        assert_eq!(bodies(&answer), [7]);
    })
    .await;
}
