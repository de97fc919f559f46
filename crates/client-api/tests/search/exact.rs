//! What is found is what the seeker may see, as it is now.

use serde_json::json;

use super::{bodies, edit, found, join, redact, room_of_two, say, search, send};
use crate::world::{World, on_each_engine};

#[tokio::test]
async fn edited_message_is_found_by_its_newest_text() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = world.room(&alice).await;
        let event = say(&world, &alice, &room, "apples").await;
        assert_eq!(found(&world, &alice, "apple").await, ["apples"]);
        edit(&world, &alice, &room, &event, "pears").await;
        let newest = edit(&world, &alice, &room, &event, "cherries").await;
        for old in ["apples", "pears"] {
            assert!(found(&world, &alice, old).await.is_empty(), "{old}");
        }
        let result = search(&world, &alice, "cherry", json!({})).await;
        let result = &result["results"][0]["result"];
        assert_eq!(result["event_id"], event);
        assert_eq!(
            result["unsigned"]["m.relations"]["m.replace"]["content"]["m.new_content"]["body"],
            "cherries"
        );
        redact(&world, &alice, &room, &newest).await;
        assert_eq!(found(&world, &alice, "pears").await, ["apples"], "the edit before counts again");
        assert!(found(&world, &alice, "cherries").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn nobody_edits_what_others_have_said() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let room = room_of_two(&world, &alice, &bob).await;
        let event = say(&world, &alice, &room, "apples").await;
        edit(&world, &bob, &room, &event, "poison").await;
        assert_eq!(found(&world, &alice, "apples").await, ["apples"]);
        assert!(found(&world, &alice, "poison").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn redacted_message_is_not_found() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = world.room(&alice).await;
        let event = say(&world, &alice, &room, "apples to be redacted").await;
        let edited = say(&world, &alice, &room, "apples to be edited").await;
        say(&world, &alice, &room, "apples not to be redacted").await;
        edit(&world, &alice, &room, &edited, "apples that were edited").await;
        assert_eq!(found(&world, &alice, "apples").await.len(), 3);
        redact(&world, &alice, &room, &event).await;
        redact(&world, &alice, &room, &edited).await;
        for order in ["rank", "recent"] {
            let found = search(&world, &alice, "apples", json!({ "order_by": order })).await;
            assert_eq!(bodies(&found), ["apples not to be redacted"]);
            assert_eq!(found["count"], 1);
        }
    })
    .await;
}

#[tokio::test]
async fn who_has_left_finds_what_was_said_until_then() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let room = room_of_two(&world, &alice, &bob).await;
        let event = say(&world, &alice, &room, "word before").await;
        say(&world, &alice, &room, "word unchanged").await;
        world.post_as(&bob, &format!("v3/rooms/{room}/leave"), json!({})).await.ok();
        say(&world, &alice, &room, "word after").await;
        edit(&world, &alice, &room, &event, "secret word").await;
        assert_eq!(found(&world, &bob, "word").await, ["word unchanged"]);
        assert!(found(&world, &bob, "secret").await.is_empty(), "an edit that he was not there for");
        assert_eq!(found(&world, &alice, "word").await.len(), 3);
        world.post_as(&bob, &format!("v3/rooms/{room}/forget"), json!({})).await.ok();
        assert!(found(&world, &bob, "word").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn history_visibility_says_what_newcomers_find() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        for (visibility, expected) in [
            ("shared", &["word three", "word two", "word one"][..]),
            ("invited", &["word three", "word two"]),
            ("joined", &["word three"]),
        ] {
            let state = json!({
                "type": "m.room.history_visibility",
                "state_key": "",
                "content": { "history_visibility": visibility },
            });
            let room = json!({ "initial_state": [state] });
            let room = world.post_as(&alice, "v3/createRoom", room).await.text("room_id");
            say(&world, &alice, &room, "word one").await;
            let invite = json!({ "user_id": bob.user_id });
            world.post_as(&alice, &format!("v3/rooms/{room}/invite"), invite).await.ok();
            say(&world, &alice, &room, "word two").await;
            let filter = json!({ "order_by": "recent", "filter": { "rooms": [room] } });
            let before = search(&world, &bob, "word", filter.clone()).await;
            assert_eq!(before["count"], 0, "who is invited is not in");
            world.post_as(&bob, &format!("v3/rooms/{room}/join"), json!({})).await.ok();
            say(&world, &alice, &room, "word three").await;
            let after = search(&world, &bob, "word", filter).await;
            assert_eq!(bodies(&after), expected, "{visibility}");
            assert_eq!(after["count"], expected.len());
        }
    })
    .await;
}

#[tokio::test]
async fn strangers_find_nothing_and_nobody_finds_whom_they_ignore() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let room = world.room(&alice).await;
        say(&world, &alice, &room, "word").await;
        assert!(found(&world, &bob, "word").await.is_empty());
        join(&world, &alice, &bob, &room).await;
        assert_eq!(found(&world, &bob, "word").await, ["word"]);
        let list = json!({ "ignored_users": { &alice.user_id: {} } });
        let path = format!("v3/user/{}/account_data/m.ignored_user_list", bob.user_id);
        world.put_as(&bob, &path, list).await.ok();
        assert!(found(&world, &bob, "word").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn room_brings_along_the_room_that_it_replaced() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let old =
            world.post_as(&alice, "v3/createRoom", json!({ "room_version": "11" })).await.text("room_id");
        say(&world, &alice, &old, "Message before upgrade").await;
        let upgrade = json!({ "new_version": "12" });
        let new = world.post_as(&alice, &format!("v3/rooms/{old}/upgrade"), upgrade).await;
        let new = new.text("replacement_room");
        say(&world, &alice, &new, "Message after upgrade").await;
        for rooms in [json!([old, new]), json!([new])] {
            let more =
                json!({ "order_by": "recent", "filter": { "rooms": rooms }, "keys": ["content.body"] });
            let found = search(&world, &alice, "upgrade", more).await;
            assert_eq!(bodies(&found), ["Message after upgrade", "Message before upgrade"], "{rooms}");
        }
        join(&world, &alice, &bob, &new).await;
        let more = json!({ "filter": { "rooms": [new] }, "keys": ["content.body"] });
        let found = search(&world, &bob, "upgrade", more).await;
        assert_eq!(bodies(&found), ["Message after upgrade"], "bob was never in the old one");
    })
    .await;
}

#[tokio::test]
async fn quote_before_a_reply_is_not_found_as_what_the_replier_said() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = world.room(&alice).await;
        let event = say(&world, &alice, &room, "apples").await;
        let reply = json!({
            "msgtype": "m.text",
            "body": format!("> <{}> apples\n\nI prefer pears", alice.user_id),
            "m.relates_to": { "m.in_reply_to": { "event_id": event } },
        });
        send(&world, &alice, &room, reply).await;
        assert_eq!(found(&world, &alice, "apples").await, ["apples"]);
        assert_eq!(found(&world, &alice, "pear").await.len(), 1);
    })
    .await;
}
