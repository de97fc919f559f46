//! People of different organisations who are in one room: what they say, and what is seen while it lasts.

use parvis_testkit::{Engine, Follower, Network, User, ephemeral};
use serde_json::{Value, json};

use crate::on_each_engine;

/// Alice and Bob, each with a homeserver, in a room that Alice made.
struct Conversation {
    network: Network,
    alice: User,
    bob: User,
    room: String,
    alice_sees: Follower,
    bob_sees: Follower,
}

impl Conversation {
    async fn on(engine: &Engine) -> Self {
        let network = Network::start(engine, &["a.test", "b.test"]).await;
        let (alice, bob) = (network.user("alice", "a.test").await, network.user("bob", "b.test").await);
        let room = alice.room_with(&[&bob]).await;
        let (mut alice_sees, mut bob_sees) = (alice.follow(), bob.follow());
        let is_in = |sync: &Value| sync["rooms"]["join"].get(&room).map(|_| ());
        alice_sees.until("the room", is_in).await;
        bob_sees.until("the room", is_in).await;
        Self { network, alice, bob, room, alice_sees, bob_sees }
    }
}

#[tokio::test]
async fn what_is_said_on_either_server_is_seen_on_the_other() {
    on_each_engine(async |engine: Engine| {
        let mut it = Conversation::on(&engine).await;
        for number in 0..10 {
            let said = it.alice.say(&it.room, &format!("question {number}")).await;
            let seen = it.bob_sees.until_event(&it.room, &said).await;
            assert_eq!(seen["content"]["body"], format!("question {number}"));
            let said = it.bob.say(&it.room, &format!("answer {number}")).await;
            it.alice_sees.until_event(&it.room, &said).await;
        }
        let said = it.alice.say(&it.room, "a slip").await;
        it.bob_sees.until_event(&it.room, &said).await;
        let redaction = it.alice.redact(&it.room, &said).await;
        it.bob_sees.until_event(&it.room, &redaction).await;
        assert_eq!(it.bob.event(&it.room, &said).await.ok()["content"], json!({}));
    })
    .await;
}

#[tokio::test]
async fn typing_receipts_and_presence_are_seen_across_servers() {
    on_each_engine(async |engine: Engine| {
        let mut it = Conversation::on(&engine).await;
        let said = it.bob.say(&it.room, "hello").await;
        it.alice_sees.until_event(&it.room, &said).await;

        let path = format!("v3/rooms/{}/typing/{}", it.room, it.alice.id);
        for (typing, who) in [(true, json!([it.alice.id])), (false, json!([]))] {
            it.alice.put(&path, json!({ "typing": typing, "timeout": 30_000 })).await.ok();
            let typing = |sync: &Value| {
                ephemeral(sync, &it.room, "m.typing").filter(|content| content["user_ids"] == who)
            };
            it.bob_sees.until("typing", typing).await;
        }

        it.alice.post(&format!("v3/rooms/{}/receipt/m.read/{said}", it.room), json!({})).await.ok();
        let receipt = |sync: &Value| {
            let content = ephemeral(sync, &it.room, "m.receipt")?;
            content[&said]["m.read"].get(&it.alice.id).cloned()
        };
        assert!(it.bob_sees.until("a receipt", receipt).await["ts"].is_u64());

        let status = json!({ "presence": "unavailable", "status_msg": "at lunch" });
        it.alice.put(&format!("v3/presence/{}/status", it.alice.id), status).await.ok();
        let presence = |sync: &Value| {
            let events = sync["presence"]["events"].as_array()?;
            let is_news = |event: &&Value| {
                event["sender"] == it.alice.id && event["content"]["status_msg"] == "at lunch"
            };
            events.iter().find(is_news).cloned()
        };
        it.bob_sees.until("presence", presence).await;
    })
    .await;
}

#[tokio::test]
async fn server_that_was_cut_off_hears_all_that_was_said_when_it_is_back() {
    on_each_engine(async |engine: Engine| {
        let mut it = Conversation::on(&engine).await;
        it.network.cut("a.test", "b.test");
        let mut said = Vec::new();
        for number in 0..60 {
            said.push(it.alice.say(&it.room, &number.to_string()).await);
        }
        it.network.mend("a.test", "b.test");
        // Alice's server leaves Bob's in peace by now. That it calls ends this.
        it.bob.say(&it.room, "are you there?").await;
        it.bob_sees.until_event(&it.room, said.last().unwrap()).await;
        for event in &said {
            it.bob.event(&it.room, event).await.ok();
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_said_before_a_restart_is_told_after_it() {
    on_each_engine(async |engine: Engine| {
        let mut it = Conversation::on(&engine).await;
        it.network.stop("b.test").await;
        let said = it.alice.say(&it.room, "are you there?").await;
        it.network.restart("a.test").await;
        it.network.run("b.test").await;
        it.bob.say(&it.room, "now I am").await;
        it.bob_sees.until_event(&it.room, &said).await;
    })
    .await;
}

#[tokio::test]
async fn who_is_put_out_sees_it_and_nothing_of_what_comes_after() {
    on_each_engine(async |engine: Engine| {
        let mut it = Conversation::on(&engine).await;
        let user = json!({ "user_id": it.bob.id, "reason": "noise" });
        it.alice.post(&format!("v3/rooms/{}/kick", it.room), user).await.ok();
        let left = |sync: &Value| sync["rooms"]["leave"].get(&it.room).cloned();
        it.bob_sees.until("that he was put out", left).await;
        let said = it.alice.say(&it.room, "he is gone").await;
        for _ in 0..5 {
            assert!(!it.bob_sees.wait(200).await.to_string().contains(&said));
        }
        it.bob.event(&it.room, &said).await.refused(404, "M_NOT_FOUND");
    })
    .await;
}
