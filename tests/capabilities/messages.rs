//! A message from a client to a client, and what may follow upon it.

use std::time::Duration;

use parvis_testkit::{Engine, Follower, Server, User, messages_in, timeline};
use serde_json::{Value, json};

use crate::on_each_engine;

/// Alice and Bob in a room, and Bob up to date.
pub(crate) struct Conversation {
    _server: Server,
    pub(crate) alice: User,
    pub(crate) bob: User,
    pub(crate) room: String,
    pub(crate) bob_sees: Follower,
}

impl Conversation {
    pub(crate) async fn on(engine: &Engine) -> Self {
        let server = Server::start(engine).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        let room = alice.room_with(&[&bob]).await;
        let mut bob_sees = bob.follow();
        bob_sees.now().await;
        Self { _server: server, alice, bob, room, bob_sees }
    }
}

fn relation(kind: &str, event: &str) -> Value {
    json!({ "rel_type": kind, "event_id": event })
}

#[tokio::test]
async fn message_reaches_the_other_and_comes_back_with_its_transaction() {
    on_each_engine(async |engine: Engine| {
        let mut it = Conversation::on(&engine).await;
        let mut alice_sees = it.alice.follow();
        alice_sees.now().await;
        let event = it.alice.say(&it.room, "Grüße \u{1F415}").await;
        let seen = it.bob_sees.until_event(&it.room, &event).await;
        assert_eq!(seen["sender"], it.alice.id);
        assert_eq!(seen["type"], "m.room.message");
        assert_eq!(seen["content"], json!({ "msgtype": "m.text", "body": "Grüße \u{1F415}" }));
        assert!(seen["origin_server_ts"].is_u64());
        assert!(seen["unsigned"].get("transaction_id").is_none());
        let own = alice_sees.until_event(&it.room, &event).await;
        assert_eq!(own["unsigned"]["transaction_id"], "t0");
    })
    .await;
}

#[tokio::test]
async fn waiting_client_is_woken_by_a_message() {
    on_each_engine(async |engine: Engine| {
        let mut it = Conversation::on(&engine).await;
        let (alice, room) = (it.alice.clone(), it.room.clone());
        let sending = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            alice.say(&room, "wake up").await
        });
        // The wait is far longer than the test may take.
        let waiting = tokio::time::timeout(Duration::from_secs(20), it.bob_sees.wait(50_000));
        let sync = waiting.await.unwrap();
        let event = sending.await.unwrap();
        assert!(timeline(&sync, &it.room).iter().any(|seen| seen["event_id"] == event), "{sync:#}");
    })
    .await;
}

#[tokio::test]
async fn wait_without_news_ends_when_it_should() {
    on_each_engine(async |engine: Engine| {
        let mut it = Conversation::on(&engine).await;
        let waiting = tokio::time::timeout(Duration::from_secs(20), it.bob_sees.wait(300));
        let sync = waiting.await.unwrap();
        assert!(sync["rooms"].get("join").and_then(|rooms| rooms.get(&it.room)).is_none(), "{sync:#}");
    })
    .await;
}

#[tokio::test]
async fn retry_of_a_transaction_sends_once() {
    on_each_engine(async |engine: Engine| {
        let it = Conversation::on(&engine).await;
        let content = json!({ "msgtype": "m.text", "body": "once" });
        let mut ids = Vec::new();
        for _ in 0..3 {
            let answer = it.alice.try_send_event(&it.room, "m.room.message", "same id", &content).await;
            ids.push(answer.unwrap().ok()["event_id"].clone());
        }
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let history = it.bob.messages(&it.room, "dir=b&limit=50").await;
        assert_eq!(messages_in(history["chunk"].as_array().unwrap()), ["once"]);
        // The id is the session's own: another session's is another.
        let elsewhere = it.alice.log_in_again().await;
        let answer = elsewhere.try_send_event(&it.room, "m.room.message", "same id", &content).await.unwrap();
        assert_ne!(answer.ok()["event_id"], ids[0]);
    })
    .await;
}

#[tokio::test]
async fn edit_is_bundled_with_what_it_edits() {
    on_each_engine(async |engine: Engine| {
        let mut it = Conversation::on(&engine).await;
        let original = it.alice.say(&it.room, "helo").await;
        let mut edit = String::new();
        for text in ["hallo", "hello"] {
            let content = json!({
                "msgtype": "m.text", "body": format!("* {text}"),
                "m.new_content": { "msgtype": "m.text", "body": text },
                "m.relates_to": relation("m.replace", &original),
            });
            edit = it.alice.send(&it.room, "m.room.message", content).await;
        }
        let seen = it.bob_sees.until_event(&it.room, &edit).await;
        assert_eq!(seen["content"]["m.new_content"]["body"], "hello");

        let event = it.bob.event(&it.room, &original).await.ok();
        assert_eq!(event["content"]["body"], "helo");
        let bundled = &event["unsigned"]["m.relations"]["m.replace"];
        assert_eq!(bundled["event_id"], edit, "{event:#}");
        assert_eq!(bundled["content"]["m.new_content"]["body"], "hello");
    })
    .await;
}

#[tokio::test]
async fn reactions_are_seen_and_found_by_what_they_react_to() {
    on_each_engine(async |engine: Engine| {
        let mut it = Conversation::on(&engine).await;
        let message = it.alice.say(&it.room, "lunch?").await;
        let mut relates_to = relation("m.annotation", &message);
        relates_to["key"] = json!("\u{1F44D}");
        let content = json!({ "m.relates_to": relates_to });
        let reaction = it.alice.send(&it.room, "m.reaction", content.clone()).await;
        let seen = it.bob_sees.until_event(&it.room, &reaction).await;
        assert_eq!(seen["content"], content);

        let path = format!("v1/rooms/{}/relations/{message}/m.annotation", it.room);
        let found = it.bob.get(&path).await.ok();
        assert_eq!(found["chunk"].as_array().unwrap().len(), 1, "{found}");
        assert_eq!(found["chunk"][0]["event_id"], reaction);
        // The same reaction again is refused.
        let again = it.alice.try_send_event(&it.room, "m.reaction", "again", &content).await.unwrap();
        again.refused(400, "M_DUPLICATE_ANNOTATION");
    })
    .await;
}

#[tokio::test]
async fn redacted_message_is_gone_for_everyone() {
    on_each_engine(async |engine: Engine| {
        let mut it = Conversation::on(&engine).await;
        let secret = it.alice.say(&it.room, "my password is 123").await;
        it.bob_sees.until_event(&it.room, &secret).await;
        let redaction = it.alice.redact(&it.room, &secret).await;
        let seen = it.bob_sees.until_event(&it.room, &redaction).await;
        assert_eq!(seen["type"], "m.room.redaction");
        assert_eq!(seen["content"]["redacts"], secret);

        for reader in [&it.alice, &it.bob] {
            let event = reader.event(&it.room, &secret).await.ok();
            assert_eq!(event["content"], json!({}));
            assert_eq!(event["unsigned"]["redacted_because"]["event_id"], redaction, "{event:#}");
        }
        let sync = it.bob.log_in_again().await.follow().now().await;
        let history = it.bob.messages(&it.room, "dir=b&limit=50").await;
        assert!(!format!("{sync}{history}").contains("my password"), "{history:#}");
    })
    .await;
}

#[tokio::test]
async fn one_who_may_not_redact_is_refused() {
    on_each_engine(async |engine: Engine| {
        let it = Conversation::on(&engine).await;
        let event = it.alice.say(&it.room, "stays").await;
        let path = format!("v3/rooms/{}/redact/{event}/t", it.room);
        it.bob.put(&path, json!({})).await.refused(403, "M_FORBIDDEN");
        assert_eq!(it.bob.event(&it.room, &event).await.ok()["content"]["body"], "stays");
    })
    .await;
}

#[tokio::test]
async fn history_is_paged_backwards_and_forwards_without_loss_or_doubles() {
    on_each_engine(async |engine: Engine| {
        let it = Conversation::on(&engine).await;
        let mut texts = Vec::new();
        for number in 0..45 {
            texts.push(format!("message {number}"));
            it.alice.say(&it.room, &texts[number]).await;
        }
        let backwards = pages(&it.bob, &it.room, "b", None).await;
        let mut read = messages_in(&backwards);
        read.reverse();
        assert_eq!(read, texts);
        let create = backwards.last().unwrap();
        assert_eq!(create["type"], "m.room.create");

        let forwards = pages(&it.bob, &it.room, "f", None).await;
        assert_eq!(messages_in(&forwards), texts);
        let reversed: Vec<_> = backwards.iter().rev().map(|event| &event["event_id"]).collect();
        assert_eq!(forwards.iter().map(|event| &event["event_id"]).collect::<Vec<_>>(), reversed);
    })
    .await;
}

/// All pages in one direction.
async fn pages(user: &User, room: &str, direction: &str, from: Option<String>) -> Vec<Value> {
    let mut events = Vec::new();
    let mut from = from;
    for _ in 0..100 {
        let start = from.take().map(|from| format!("&from={from}")).unwrap_or_default();
        let page = user.messages(room, &format!("dir={direction}&limit=10{start}")).await;
        events.extend(page["chunk"].as_array().unwrap().iter().cloned());
        match page["end"].as_str() {
            Some(end) => from = Some(end.to_owned()),
            None => return events,
        }
    }
    panic!("the history does not end");
}

#[tokio::test]
async fn gap_of_a_client_that_was_away_can_be_filled() {
    on_each_engine(async |engine: Engine| {
        let mut it = Conversation::on(&engine).await;
        it.bob_sees = it.bob_sees.with_filter(json!({ "room": { "timeline": { "limit": 5 } } }));
        let last_seen = it.alice.say(&it.room, "seen").await;
        it.bob_sees.until_event(&it.room, &last_seen).await;
        let mut texts = Vec::new();
        for number in 0..30 {
            texts.push(format!("missed {number}"));
            it.alice.say(&it.room, &texts[number]).await;
        }
        let sync = it.bob_sees.now().await;
        let section = &sync["rooms"]["join"][&it.room]["timeline"];
        assert_eq!((section["limited"].clone(), timeline(&sync, &it.room).len()), (json!(true), 5));
        let whole = it.bob_sees.whole_timeline(&sync, &it.room, |event| event["event_id"] == last_seen).await;
        assert_eq!(messages_in(&whole), texts);
    })
    .await;
}

#[tokio::test]
async fn event_is_shown_with_what_is_around_it() {
    on_each_engine(async |engine: Engine| {
        let it = Conversation::on(&engine).await;
        let mut events = Vec::new();
        for number in 0..9 {
            events.push(it.alice.say(&it.room, &format!("message {number}")).await);
        }
        let path = format!("v3/rooms/{}/context/{}?limit=4", it.room, events[4]);
        let context = it.bob.get(&path).await.ok();
        assert_eq!(context["event"]["event_id"], events[4]);
        let ids = |key: &str| -> Vec<String> {
            let events = context[key].as_array().unwrap().iter();
            events.map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(ids("events_before"), [events[3].clone(), events[2].clone()]);
        assert_eq!(ids("events_after"), [events[5].clone(), events[6].clone()]);
        assert!(!context["state"].as_array().unwrap().is_empty());
        let before = pages(&it.bob, &it.room, "b", context["start"].as_str().map(str::to_owned)).await;
        assert_eq!(messages_in(&before), ["message 1", "message 0"]);
        let after = pages(&it.bob, &it.room, "f", context["end"].as_str().map(str::to_owned)).await;
        assert_eq!(messages_in(&after), ["message 7", "message 8"]);
    })
    .await;
}
