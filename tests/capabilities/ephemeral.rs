//! What is seen while it lasts: typing, and how far people have read.

use parvis_testkit::{Engine, ephemeral, timeline};
use serde_json::json;

use crate::{messages::Conversation, on_each_engine};

#[tokio::test]
async fn typing_is_seen_while_it_lasts() {
    on_each_engine(async |engine: Engine| {
        let mut it = Conversation::on(&engine).await;
        let path = format!("v3/rooms/{}/typing/{}", it.room, it.alice.id);
        for (body, typists) in [
            (json!({ "typing": true, "timeout": 30_000 }), json!([it.alice.id])),
            (json!({ "typing": false }), json!([])),
            (json!({ "typing": true, "timeout": 1_000 }), json!([it.alice.id])),
        ] {
            it.alice.put(&path, body).await.ok();
            let seen = it.bob_sees.until("typing", |sync| ephemeral(sync, &it.room, "m.typing")).await;
            assert_eq!(seen["user_ids"], typists);
        }
        // The last one ends by itself.
        let seen = it.bob_sees.until("the end of typing", |sync| ephemeral(sync, &it.room, "m.typing")).await;
        assert_eq!(seen["user_ids"], json!([]));
        // Nobody types for another.
        it.bob.put(&path, json!({ "typing": false })).await.refused(403, "M_FORBIDDEN");
    })
    .await;
}

#[tokio::test]
async fn receipts_are_seen_by_those_they_are_for() {
    on_each_engine(async |engine: Engine| {
        let it = Conversation::on(&engine).await;
        let first = it.alice.say(&it.room, "one").await;
        let second = it.alice.say(&it.room, "two").await;
        let mut alice_sees = it.alice.follow();
        alice_sees.now().await;
        let receipt = |kind: &str, event: &str| format!("v3/rooms/{}/receipt/{kind}/{event}", it.room);

        it.bob.post(&receipt("m.read", &first), json!({})).await.ok();
        let seen = alice_sees.until("a receipt", |sync| ephemeral(sync, &it.room, "m.receipt")).await;
        assert!(seen[&first]["m.read"][&it.bob.id]["ts"].is_u64(), "{seen:#}");

        // A private one is for the reader's own devices.
        let mut elsewhere = it.bob.log_in_again().await.follow();
        elsewhere.now().await;
        it.bob.post(&receipt("m.read.private", &second), json!({})).await.ok();
        let seen = elsewhere.until("a receipt", |sync| ephemeral(sync, &it.room, "m.receipt")).await;
        assert!(seen[&second]["m.read.private"][&it.bob.id].is_object(), "{seen:#}");
        let mark = it.bob.say(&it.room, "mark").await;
        for _ in 0..20 {
            let sync = alice_sees.wait(1_000).await;
            assert!(!sync.to_string().contains("m.read.private"), "{sync:#}");
            if timeline(&sync, &it.room).iter().any(|event| event["event_id"] == mark) {
                return;
            }
        }
        panic!("alice does not see what came after the private receipt");
    })
    .await;
}
