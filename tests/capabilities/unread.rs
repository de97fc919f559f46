//! Counts of what somebody has not read.

use parvis_testkit::{Engine, Follower, Server, User, joined};
use serde_json::{Value, json};

use crate::on_each_engine;

/// Three people in a room, so that it is no conversation of two.
async fn three(engine: &Engine) -> (Server, User, User, String) {
    let server = Server::start(engine).await;
    let (alice, bob, carol) =
        (server.user("alice").await, server.user("bob").await, server.user("carol").await);
    let room = alice.room_with(&[&bob, &carol]).await;
    (server, alice, bob, room)
}

/// What a fresh sync counts: notifications, highlights.
async fn counts(user: &User, room: &str) -> (u64, u64) {
    let sync = user.follow().now().await;
    numbers(&joined(&sync, room)["unread_notifications"])
}

fn numbers(counts: &Value) -> (u64, u64) {
    let number = |key: &str| counts[key].as_u64().unwrap_or_else(|| panic!("no {key} in {counts}"));
    (number("notification_count"), number("highlight_count"))
}

async fn read(user: &User, room: &str, event: &str, body: Value) {
    user.post(&format!("v3/rooms/{room}/receipt/m.read/{event}"), body).await.ok();
}

async fn until_counts(follower: &mut Follower, room: &str, expected: (u64, u64)) {
    let what = format!("the counts {expected:?}");
    follower
        .until(&what, |sync| {
            let counts = joined(sync, room).get("unread_notifications")?;
            (numbers(counts) == expected).then_some(())
        })
        .await;
}

#[tokio::test]
async fn messages_of_others_count_until_they_are_read() {
    on_each_engine(async |engine: Engine| {
        let (_server, alice, bob, room) = three(&engine).await;
        let mut bob_sees = bob.follow();
        bob_sees.now().await;
        assert_eq!(counts(&bob, &room).await, (0, 0));
        let mut events = Vec::new();
        for number in 1..=3 {
            events.push(alice.say(&room, &format!("message {number}")).await);
            assert_eq!(counts(&bob, &room).await, (number, 0));
        }
        until_counts(&mut bob_sees, &room, (3, 0)).await;
        // Who sends has read what was there.
        assert_eq!(counts(&alice, &room).await, (0, 0));
        read(&bob, &room, &events[1], json!({})).await;
        until_counts(&mut bob_sees, &room, (1, 0)).await;
        read(&bob, &room, &events[2], json!({})).await;
        until_counts(&mut bob_sees, &room, (0, 0)).await;
        alice.say(&room, "one more").await;
        assert_eq!(counts(&bob, &room).await, (1, 0));
        bob.say(&room, "mine").await;
        assert_eq!(counts(&bob, &room).await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn mentions_are_highlights() {
    on_each_engine(async |engine: Engine| {
        let (_server, alice, bob, room) = three(&engine).await;
        let message = |mentions: Value| json!({ "msgtype": "m.text", "body": "hey", "m.mentions": mentions });
        alice.send(&room, "m.room.message", message(json!({ "user_ids": [bob.id] }))).await;
        assert_eq!(counts(&bob, &room).await, (1, 1));
        alice.send(&room, "m.room.message", message(json!({ "user_ids": [alice.id] }))).await;
        assert_eq!(counts(&bob, &room).await, (2, 1));
        alice.send(&room, "m.room.message", message(json!({ "room": true }))).await;
        assert_eq!(counts(&bob, &room).await, (3, 2));
    })
    .await;
}

#[tokio::test]
async fn what_is_no_message_does_not_count() {
    on_each_engine(async |engine: Engine| {
        let (_server, alice, bob, room) = three(&engine).await;
        let event = alice.say(&room, "hello").await;
        read(&bob, &room, &event, json!({})).await;
        let relates_to = json!({ "rel_type": "m.annotation", "event_id": event, "key": "x" });
        alice.send(&room, "m.reaction", json!({ "m.relates_to": relates_to })).await;
        let notice = json!({ "msgtype": "m.notice", "body": "beep" });
        alice.send(&room, "m.room.message", notice).await;
        let edit = json!({
            "msgtype": "m.text", "body": "* hello!", "m.new_content": { "msgtype": "m.text", "body": "hello!" },
            "m.relates_to": { "rel_type": "m.replace", "event_id": event },
        });
        alice.send(&room, "m.room.message", edit).await;
        alice.put_state(&room, "m.room.topic", "", json!({ "topic": "quiet" })).await.ok();
        assert_eq!(counts(&bob, &room).await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn threads_are_counted_by_themselves_where_a_client_asks_so() {
    on_each_engine(async |engine: Engine| {
        let (_server, alice, bob, room) = three(&engine).await;
        let root = alice.say(&room, "root").await;
        let mut last = String::new();
        for text in ["reply 1", "reply 2"] {
            let relates_to = json!({ "rel_type": "m.thread", "event_id": root });
            let content = json!({ "msgtype": "m.text", "body": text, "m.relates_to": relates_to });
            last = alice.send(&room, "m.room.message", content).await;
        }
        assert_eq!(counts(&bob, &room).await, (3, 0));

        let filter = json!({ "room": { "timeline": { "unread_thread_notifications": true } } });
        let by_thread = async || {
            let sync = bob.follow().with_filter(filter.clone()).now().await;
            let room = joined(&sync, &room);
            let thread = room["unread_thread_notifications"].get(&root).map(numbers);
            (numbers(&room["unread_notifications"]), thread)
        };
        assert_eq!(by_thread().await, ((1, 0), Some((2, 0))));
        read(&bob, &room, &last, json!({ "thread_id": root })).await;
        let (main, thread) = by_thread().await;
        assert_eq!((main, thread.unwrap_or_default()), ((1, 0), (0, 0)));
        read(&bob, &room, &root, json!({ "thread_id": "main" })).await;
        let (main, thread) = by_thread().await;
        assert_eq!((main, thread.unwrap_or_default()), ((0, 0), (0, 0)));
    })
    .await;
}
