//! Events that are sent later.

use std::{sync::Arc, time::Duration};

use parvis_ambient::TestClock;
use parvis_testkit::{Engine, Server, User, messages_in};
use serde_json::{Value, json};

use crate::on_each_engine;

const LIST: &str = "unstable/org.matrix.msc4140/delayed_events";
const SECOND: Duration = Duration::from_secs(1);

/// Hands in a message that is sent later, and gives its name.
async fn later(user: &User, room: &str, text: &str, seconds: u64) -> String {
    let path =
        format!("v3/rooms/{room}/send/m.room.message/{text}?org.matrix.msc4140.delay={}", seconds * 1_000);
    let answer = user.put(&path, json!({ "msgtype": "m.text", "body": text })).await.ok();
    answer["delay_id"].as_str().unwrap().to_owned()
}

async fn act(server: &Server, delay_id: &str, action: &str) {
    server.stranger().post(&format!("{LIST}/{delay_id}/{action}"), json!({})).await.ok();
}

async fn waiting(user: &User) -> Vec<Value> {
    user.get(LIST).await.ok()["delayed_events"].as_array().unwrap().clone()
}

/// What was said in a room, once this many events wait to be sent.
async fn said(clock: &Arc<TestClock>, user: &User, room: &str, left: usize) -> Vec<String> {
    for _ in 0..500 {
        if waiting(user).await.len() == left {
            break;
        }
        clock.advance(Duration::ZERO);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(waiting(user).await.len(), left);
    let page = user.messages(room, "dir=b&limit=50").await;
    messages_in(page["chunk"].as_array().unwrap())
}

#[tokio::test]
async fn message_comes_when_it_is_due_and_can_be_put_off_hurried_and_stopped() {
    on_each_engine(async |engine: Engine| {
        let (server, clock) = Server::with_test_clock(&engine, "").await;
        let alice = server.user("alice").await;
        let room = alice.create_room(json!({})).await;
        let first = later(&alice, &room, "first", 10).await;
        assert_eq!(later(&alice, &room, "first", 10).await, first, "the same transaction");
        let second = later(&alice, &room, "second", 12).await;
        let stopped = later(&alice, &room, "stopped", 5).await;
        later(&alice, &room, "fourth", 60).await;
        let list = waiting(&alice).await;
        assert_eq!(list.len(), 4);
        assert_eq!((&list[0]["delay_id"], &list[0]["delay"]), (&json!(stopped), &json!(5_000)));
        assert_eq!(list[0]["content"]["body"], "stopped");
        act(&server, &stopped, "cancel").await;
        server
            .stranger()
            .post(&format!("{LIST}/{stopped}/send"), json!({}))
            .await
            .refused(404, "M_NOT_FOUND");

        clock.advance(9 * SECOND);
        act(&server, &first, "restart").await;
        clock.advance(3 * SECOND);
        assert_eq!(said(&clock, &alice, &room, 2).await, ["second"]);
        server
            .stranger()
            .post(&format!("{LIST}/{second}/restart"), json!({}))
            .await
            .refused(404, "M_NOT_FOUND");
        clock.advance(7 * SECOND);
        assert_eq!(said(&clock, &alice, &room, 1).await, ["first", "second"]);
        let last = waiting(&alice).await[0]["delay_id"].as_str().unwrap().to_owned();
        server.stranger().post(&format!("{LIST}/{last}"), json!({ "action": "send" })).await.ok();
        assert_eq!(said(&clock, &alice, &room, 0).await, ["fourth", "first", "second"]);
    })
    .await;
}

#[tokio::test]
async fn event_of_an_older_request_is_told_by_its_name_and_sent() {
    on_each_engine(async |engine: Engine| {
        let (server, clock) = Server::with_test_clock(&engine, "").await;
        let alice = server.user("alice").await;
        let room = alice.create_room(json!({})).await;
        let path = format!("unstable/org.matrix.msc4140/rooms/{room}/delayed_event/m.room.message/t");
        let body = json!({ "delay": 5_000, "content": { "msgtype": "m.text", "body": "late" } });
        let delay_id = alice.put(&path, body).await.ok()["delay_id"].as_str().unwrap().to_owned();
        let told = alice.get(&format!("{LIST}/{delay_id}")).await.ok();
        assert_eq!(
            (&told["delay_id"], &told["room_id"], &told["type"], &told["content"]["body"]),
            (&json!(delay_id), &json!(room), &json!("m.room.message"), &json!("late"))
        );
        clock.advance(6 * SECOND);
        assert_eq!(said(&clock, &alice, &room, 0).await, ["late"]);
        alice.get(&format!("{LIST}/{delay_id}")).await.refused(404, "M_NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn state_comes_after_a_restart_too() {
    on_each_engine(async |engine: Engine| {
        let (mut server, clock) = Server::with_test_clock(&engine, "").await;
        let alice = server.user("alice").await;
        let room = alice.create_room(json!({})).await;
        let path = format!("v3/rooms/{room}/state/org.example.call/alice?org.matrix.msc4140.delay=5000");
        alice.put(&path, json!({ "left": true })).await.ok();
        alice.state(&room, "org.example.call", "alice").await.refused(404, "M_NOT_FOUND");
        server.stop().await;
        clock.advance(10 * SECOND);
        server.restart_with("").await;
        said(&clock, &alice, &room, 0).await;
        assert_eq!(alice.state(&room, "org.example.call", "alice").await.ok()["left"], true);
    })
    .await;
}

#[tokio::test]
async fn delays_have_their_bounds_and_strangers_none_at_all() {
    let engine = Engine::Sqlite;
    let server = Server::start(&engine).await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let room = alice.create_room(json!({})).await;
    let path = |transaction: u64, ms: &str| {
        format!("v3/rooms/{room}/send/m.room.message/{transaction}?org.matrix.msc4140.delay={ms}")
    };
    let message = json!({ "msgtype": "m.text", "body": "later" });
    alice.put(&path(1, "86400001"), message.clone()).await.refused(400, "M_MAX_DELAY_EXCEEDED");
    alice.put(&path(1, "soon"), message.clone()).await.refused(400, "M_INVALID_PARAM");
    bob.put(&path(1, "5000"), message.clone()).await.refused(403, "M_FORBIDDEN");
    for transaction in 0..100 {
        alice.put(&path(transaction, "86400000"), message.clone()).await.ok();
    }
    alice.put(&path(100, "5000"), message.clone()).await.refused(400, "M_MAX_DELAYED_EVENTS_EXCEEDED");
    server.stranger().get(LIST).await.refused(401, "M_MISSING_TOKEN");
    let one = waiting(&alice).await[0]["delay_id"].as_str().unwrap().to_owned();
    bob.get(&format!("{LIST}/{one}")).await.refused(404, "M_NOT_FOUND");
    let unknown = format!("{LIST}/{one}/oops");
    server.stranger().post(&unknown, json!({})).await.refused(404, "M_UNRECOGNIZED");
}
