//! What is told of a room: its timeline, its names, who is in it, and how one's time in it ends.

use serde_json::{Value, json};

use super::{Connection, all, bodies, invite, join, leave, room, rooms, send, set_state, state};
use crate::world::{Client, World, on_each_engine};

/// The membership that the last event of a list gives to a user that speaks of them.
fn membership<'a>(events: &'a Value, user: &Client) -> Option<&'a str> {
    let mut events = events.as_array().into_iter().flatten().rev();
    let own = events.find(|event| event["state_key"] == user.user_id.as_str())?;
    own["content"]["membership"].as_str()
}

#[tokio::test]
async fn subscribed_room_is_told_wherever_it_stands() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let (low, top) = (room(&world, &alice, "low").await, room(&world, &alice, "top").await);
        let mut connection = Connection::new(&alice, all(0, 1, json!([["m.room.name", ""]])));
        assert_eq!(rooms(&connection.next(&world).await), [top.as_str()]);
        let wanted = json!({ "timeline_limit": 20, "required_state": [["m.room.create", ""]] });
        connection.body["room_subscriptions"] = json!({ &low: wanted, "!nowhere:parvis.test": wanted });
        let told = connection.next(&world).await;
        assert_eq!(rooms(&told), [low.as_str()]);
        assert_eq!(state(&told["rooms"][&low]), [("m.room.create", "")]);
        send(&world, &alice, &top, "a").await;
        send(&world, &alice, &low, "b").await;
        send(&world, &alice, &top, "c").await;
        let told = connection.next(&world).await;
        assert_eq!(bodies(&told["rooms"][&low]), ["b"]);
    })
    .await;
}

#[tokio::test]
async fn more_of_a_timeline_is_told_again_and_at_once() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let hall = room(&world, &alice, "hall").await;
        for text in ["a", "b", "c"] {
            send(&world, &alice, &hall, text).await;
        }
        let mut connection = Connection::new(&alice, all(9, 1, json!([])));
        let first = connection.next(&world).await;
        assert_eq!(
            (bodies(&first["rooms"][&hall]), &first["rooms"][&hall]["limited"]),
            (vec!["c"], &json!(true))
        );
        assert_eq!(first["rooms"][&hall]["num_live"], 0);
        let wanted = json!({ "timeline_limit": 3, "required_state": [] });
        connection.body["room_subscriptions"] = json!({ &hall: wanted });
        let more = connection.wait(&world).await;
        let told = &more["rooms"][&hall];
        assert_eq!((bodies(told), &told["unstable_expanded_timeline"]), (vec!["a", "b", "c"], &json!(true)));
        assert!(told["initial"].is_null() && told["num_live"] == 0, "{told:#}");
        // Who wants less has more already.
        connection.body["room_subscriptions"] = json!({});
        assert!(rooms(&connection.next(&world).await).is_empty());
        connection.body["room_subscriptions"] = json!({ &hall: wanted });
        assert!(rooms(&connection.next(&world).await).is_empty());
        send(&world, &alice, &hall, "d").await;
        assert_eq!(bodies(&connection.next(&world).await["rooms"][&hall]), ["d"]);
    })
    .await;
}

#[tokio::test]
async fn wants_of_lists_and_subscriptions_are_added_up() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let hall = room(&world, &alice, "hall").await;
    for text in ["a", "b", "c"] {
        send(&world, &alice, &hall, text).await;
    }
    let body = json!({
        "lists": {
            "one": { "ranges": [[0, 9]], "timeline_limit": 1, "required_state": [["m.room.name", ""]] },
            "two": { "ranges": [[0, 9]], "timeline_limit": 2, "required_state": [["m.room.create", ""]] },
        },
        "room_subscriptions": {
            &hall: { "timeline_limit": 1, "required_state": [["m.room.join_rules", ""]] },
        },
    });
    let answer = Connection::new(&alice, body).next(&world).await;
    let told = &answer["rooms"][&hall];
    assert_eq!(bodies(told), ["b", "c"]);
    assert_eq!(state(told), [("m.room.create", ""), ("m.room.join_rules", ""), ("m.room.name", "")]);
}

#[tokio::test]
async fn room_has_its_name_and_picture_or_else_heroes() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        world
            .put_as(&bob, &format!("v3/profile/{}/displayname", bob.user_id), json!({ "displayname": "Bob" }))
            .await
            .ok();
        let hall =
            world.post_as(&alice, "v3/createRoom", json!({ "preset": "public_chat" })).await.text("room_id");
        join(&world, &bob, &hall).await;
        let mut connection = Connection::of_all(&alice);
        let first = connection.next(&world).await;
        let told = &first["rooms"][&hall];
        assert_eq!(told["heroes"], json!([{ "user_id": bob.user_id, "displayname": "Bob" }]));
        assert!(told["name"].is_null() && told.get("avatar").is_none() && told.get("is_dm").is_none());
        assert_eq!((&told["joined_count"], &told["invited_count"]), (&json!(2), &json!(0)));
        set_state(&world, &alice, &hall, "m.room.name", "", json!({ "name": "hall" })).await;
        set_state(&world, &alice, &hall, "m.room.avatar", "", json!({ "url": "mxc://a/b" })).await;
        let told = &connection.next(&world).await["rooms"][&hall];
        assert_eq!((&told["name"], &told["avatar"]), (&json!("hall"), &json!("mxc://a/b")));
        assert!(told["heroes"].is_null() && told["joined_count"].is_null(), "{told:#}");
        send(&world, &alice, &hall, "hello").await;
        let told = &connection.next(&world).await["rooms"][&hall];
        assert!(told.get("name").is_none() && told.get("avatar").is_none(), "nothing new: {told:#}");
        set_state(&world, &alice, &hall, "m.room.name", "", json!({})).await;
        set_state(&world, &alice, &hall, "m.room.avatar", "", json!({})).await;
        let told = &connection.next(&world).await["rooms"][&hall];
        assert!(told.get("avatar").is_some_and(Value::is_null) && told.get("name").is_none(), "{told:#}");
        assert_eq!(told["heroes"][0]["user_id"], bob.user_id.as_str());
        leave(&world, &bob, &hall).await;
        let told = &connection.next(&world).await["rooms"][&hall];
        assert_eq!((&told["joined_count"], &told["heroes"][0]["user_id"]), (&json!(1), &json!(bob.user_id)));
    })
    .await;
}

#[tokio::test]
async fn direct_chat_is_called_one() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let (hall, chat) = (room(&world, &alice, "hall").await, room(&world, &alice, "chat").await);
    let path = format!("v3/user/{}/account_data/m.direct", alice.user_id);
    world.put_as(&alice, &path, json!({ "@bob:parvis.test": [chat], "strange": 5 })).await.ok();
    let answer = Connection::of_all(&alice).next(&world).await;
    assert_eq!(answer["rooms"][&chat]["is_dm"], true);
    assert!(answer["rooms"][&hall].get("is_dm").is_none());
}

#[tokio::test]
async fn room_rises_by_messages_and_not_by_names() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let hall = room(&world, &alice, "hall").await;
        let mut connection = Connection::of_all(&alice);
        let stamp = |answer: &Value| answer["rooms"][&hall]["bump_stamp"].as_i64().unwrap();
        let created = stamp(&connection.next(&world).await);
        set_state(&world, &alice, &hall, "m.room.topic", "", json!({ "topic": "x" })).await;
        assert_eq!(stamp(&connection.next(&world).await), created);
        send(&world, &alice, &hall, "hello").await;
        let sent = stamp(&connection.next(&world).await);
        assert!(sent > created);
        set_state(&world, &alice, &hall, "m.room.topic", "", json!({ "topic": "y" })).await;
        assert_eq!(stamp(&connection.next(&world).await), sent);
    })
    .await;
}

#[tokio::test]
async fn what_is_unread_is_counted_and_told_when_it_is_read() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let hall = room(&world, &alice, "hall").await;
    join(&world, &bob, &hall).await;
    let mut connection = Connection::of_all(&bob);
    connection.next(&world).await;
    let event = send(&world, &alice, &hall, "hello").await;
    let told = &connection.next(&world).await["rooms"][&hall];
    assert_eq!((&told["notification_count"], &told["highlight_count"]), (&json!(1), &json!(0)));
    world.post_as(&bob, &format!("v3/rooms/{hall}/receipt/m.read/{event}"), json!({})).await.ok();
    let told = &connection.next(&world).await["rooms"][&hall];
    assert_eq!((&told["notification_count"], bodies(told)), (&json!(0), Vec::new()));
}

#[tokio::test]
async fn own_leaving_is_told_once_and_the_room_is_gone_then() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let hall = room(&world, &alice, "hall").await;
        join(&world, &bob, &hall).await;
        let mut connection = Connection::of_all(&bob);
        connection.next(&world).await;
        send(&world, &alice, &hall, "before").await;
        leave(&world, &bob, &hall).await;
        send(&world, &alice, &hall, "after").await;
        let lost = connection.again(&world).await;
        let news = connection.wait(&world).await;
        assert_eq!(lost["rooms"], news["rooms"]);
        let told = &news["rooms"][&hall];
        assert_eq!(membership(&told["required_state"], &bob), Some("leave"));
        assert_eq!((membership(&told["timeline"], &bob), bodies(told)), (Some("leave"), vec!["before"]));
        assert_eq!(news["lists"]["all"]["count"], 0);
        send(&world, &alice, &hall, "later").await;
        assert!(rooms(&connection.next(&world).await).is_empty());
        join(&world, &bob, &hall).await;
        let told = &connection.next(&world).await["rooms"][&hall];
        assert_eq!(told["initial"], true, "{told:#}");
    })
    .await;
}

#[tokio::test]
async fn room_that_was_never_told_is_left_in_silence() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let (low, top) = (room(&world, &alice, "low").await, room(&world, &alice, "top").await);
    join(&world, &bob, &low).await;
    join(&world, &bob, &top).await;
    let mut connection = Connection::new(&bob, all(0, 1, json!([])));
    assert_eq!(rooms(&connection.next(&world).await), [top.as_str()]);
    leave(&world, &bob, &low).await;
    let news = connection.next(&world).await;
    assert!(rooms(&news).is_empty() && news["lists"]["all"]["count"] == 1, "{news:#}");
}

#[tokio::test]
async fn who_is_put_out_is_told_what_happened_and_nothing_after_it() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let hall = room(&world, &alice, "hall").await;
        join(&world, &bob, &hall).await;
        let mut connection = Connection::of_all(&bob);
        connection.next(&world).await;
        let body = json!({ "user_id": bob.user_id, "reason": "so" });
        world.post_as(&alice, &format!("v3/rooms/{hall}/ban"), body).await.ok();
        send(&world, &alice, &hall, "secret").await;
        let told = &connection.next(&world).await["rooms"][&hall];
        assert_eq!(membership(&told["required_state"], &bob), Some("ban"));
        assert!(bodies(told).is_empty());
        send(&world, &alice, &hall, "more").await;
        assert!(rooms(&connection.next(&world).await).is_empty());
    })
    .await;
}

#[tokio::test]
async fn invitation_that_is_taken_or_declined_is_told_as_what_it_became() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let (taken, declined) = (room(&world, &alice, "taken").await, room(&world, &alice, "declined").await);
        invite(&world, &alice, &taken, &bob).await;
        invite(&world, &alice, &declined, &bob).await;
        let mut connection = Connection::new(&bob, all(9, 5, json!([["m.room.create", ""]])));
        let first = connection.next(&world).await;
        assert_eq!(membership(&first["rooms"][&taken]["invite_state"], &bob), Some("invite"));
        assert_eq!(first["rooms"][&taken]["name"], "taken");
        // What is said in a room does not concern who is only invited.
        send(&world, &alice, &taken, "hush").await;
        assert!(rooms(&connection.next(&world).await).is_empty());
        join(&world, &bob, &taken).await;
        leave(&world, &bob, &declined).await;
        let news = connection.next(&world).await;
        let told = &news["rooms"][&taken];
        assert_eq!((state(told), &told["initial"]), (vec![("m.room.create", "")], &json!(true)));
        assert!(told["invite_state"].is_null() && membership(&told["timeline"], &bob) == Some("join"));
        let told = &news["rooms"][&declined];
        assert_eq!(membership(&told["required_state"], &bob), Some("leave"));
    })
    .await;
}

#[tokio::test]
async fn history_that_is_hidden_from_the_reader_is_not_told() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let hall = room(&world, &alice, "hall").await;
    let hidden = json!({ "history_visibility": "joined" });
    set_state(&world, &alice, &hall, "m.room.history_visibility", "", hidden).await;
    send(&world, &alice, &hall, "secret").await;
    join(&world, &bob, &hall).await;
    send(&world, &alice, &hall, "open").await;
    let answer = Connection::of_all(&bob).next(&world).await;
    assert_eq!(bodies(&answer["rooms"][&hall]), ["open"]);
}
