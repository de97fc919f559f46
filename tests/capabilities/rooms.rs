//! Coming into rooms, and leaving them.

use parvis_testkit::{Engine, Server, messages_in, timeline};
use serde_json::json;

use crate::on_each_engine;

#[tokio::test]
async fn invited_one_sees_the_invitation_and_after_joining_the_room() {
    on_each_engine(async |engine: Engine| {
        let server = Server::start(&engine).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        let room = alice.create_room(json!({ "name": "Kitchen", "preset": "private_chat" })).await;
        alice.say(&room, "before").await;
        let mut bob_sees = bob.follow();
        bob_sees.now().await;
        alice.invite(&room, &bob).await;
        let stripped = bob_sees
            .until("the invitation", |sync| {
                sync["rooms"]["invite"].get(&room)?["invite_state"]["events"].as_array().cloned()
            })
            .await;
        let name = stripped.iter().find(|event| event["type"] == "m.room.name").unwrap();
        assert_eq!(name["content"]["name"], "Kitchen");
        let own = stripped.iter().find(|event| event["state_key"] == bob.id).unwrap();
        assert_eq!((&own["content"]["membership"], &own["sender"]), (&json!("invite"), &json!(alice.id)));
        let message = json!({ "msgtype": "m.text", "body": "hello?" });
        let early = bob.try_send_event(&room, "m.room.message", "t", &message).await.unwrap();
        early.refused(403, "M_FORBIDDEN");

        bob.join(&room).await;
        let sync =
            bob_sees.until("the room", |sync| sync["rooms"]["join"].get(&room).map(|_| sync.clone())).await;
        assert!(sync["rooms"]["invite"].get(&room).is_none());
        let everything = format!("{}", sync["rooms"]["join"][&room]);
        assert!(everything.contains("Kitchen"), "{sync:#}");
        // The room's history is shared, so what was said before may be read.
        let history = bob.messages(&room, "dir=b&limit=50").await;
        assert_eq!(messages_in(history["chunk"].as_array().unwrap()), ["before"]);
    })
    .await;
}

#[tokio::test]
async fn one_who_left_sees_nothing_that_came_after() {
    on_each_engine(async |engine: Engine| {
        let server = Server::start(&engine).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        let room = alice.room_with(&[&bob]).await;
        let mut bob_sees = bob.follow();
        bob_sees.now().await;
        alice.say(&room, "for both").await;
        bob.leave(&room).await;
        alice.say(&room, "for alice alone").await;
        let left = bob_sees.until("the leaving", |sync| sync["rooms"]["leave"].get(&room).cloned()).await;
        let events = left["timeline"]["events"].as_array().unwrap();
        assert_eq!(events.last().unwrap()["content"]["membership"], "leave");
        let history = bob.messages(&room, "dir=b&limit=50").await;
        let texts = messages_in(history["chunk"].as_array().unwrap());
        assert_eq!(texts, ["for both"]);
        assert!(!left.to_string().contains("for alice alone"));
        let message = json!({ "msgtype": "m.text", "body": "me too" });
        bob.try_send_event(&room, "m.room.message", "t", &message).await.unwrap().refused(403, "M_FORBIDDEN");
    })
    .await;
}

#[tokio::test]
async fn banned_one_stays_out_until_unbanned() {
    on_each_engine(async |engine: Engine| {
        let server = Server::start(&engine).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        let room = alice.create_room(json!({ "preset": "public_chat" })).await;
        bob.join(&room).await;
        let member = json!({ "user_id": bob.id, "reason": "noise" });
        alice.post(&format!("v3/rooms/{room}/ban"), member.clone()).await.ok();
        let join = format!("v3/join/{room}");
        bob.post(&join, json!({})).await.refused(403, "M_FORBIDDEN");
        alice.post(&format!("v3/rooms/{room}/unban"), member).await.ok();
        bob.post(&join, json!({})).await.ok();
    })
    .await;
}

#[tokio::test]
async fn new_device_sees_everything_at_once() {
    on_each_engine(async |engine: Engine| {
        let server = Server::start(&engine).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        let mut rooms = Vec::new();
        for number in 0..5 {
            let room = alice.room_with(&[&bob]).await;
            alice.say(&room, &format!("in room {number}")).await;
            rooms.push(room);
        }
        let sync = bob.log_in_again().await.follow().now().await;
        for (number, room) in rooms.iter().enumerate() {
            assert_eq!(messages_in(&timeline(&sync, room)), [format!("in room {number}")]);
        }
    })
    .await;
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    on_each_engine(async |engine: Engine| {
        let mut server = Server::start(&engine).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        let room = alice.room_with(&[&bob]).await;
        let mut bob_sees = bob.follow();
        bob_sees.now().await;
        alice.say(&room, "before").await;
        server.restart_with("").await;
        alice.say(&room, "after").await;
        let mut seen = Vec::new();
        bob_sees
            .until("both messages", |sync| {
                seen.extend(messages_in(&timeline(sync, &room)));
                (seen.len() >= 2).then_some(())
            })
            .await;
        assert_eq!(seen, ["before", "after"]);
    })
    .await;
}
