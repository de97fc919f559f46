//! Windows on the list of rooms: which rooms, in which order, and what is told of those that come and go.

use serde_json::{Value, json};

use super::{Connection, all, bodies, invite, join, leave, room, rooms, send, set_state};
use crate::world::{Client, World, on_each_engine};

/// Whether a room is in the window of a list with this filter, which holds the newest room alone.
async fn passing(world: &World, client: &Client, filters: Value) -> Vec<String> {
    let mut body = all(99, 1, json!([]));
    body["lists"]["all"]["filters"] = filters;
    let answer = Connection::new(client, body).next(world).await;
    let mut told: Vec<String> = rooms(&answer).into_iter().map(str::to_owned).collect();
    assert_eq!(answer["lists"]["all"]["count"], told.len(), "all of them are in the window");
    told.sort();
    told
}

fn sorted<const N: usize>(rooms: [&str; N]) -> Vec<String> {
    let mut rooms: Vec<String> = rooms.into_iter().map(str::to_owned).collect();
    rooms.sort();
    rooms
}

#[tokio::test]
async fn window_holds_the_rooms_with_the_newest_events_and_the_count_all_of_them() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let mut halls = Vec::new();
        for number in 0..4 {
            halls.push(room(&world, &alice, &format!("hall {number}")).await);
        }
        // A reaction moves a room as a message does, though it does not let it rise.
        let body = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": "$x", "key": "+" } });
        let path = format!("v3/rooms/{}/send/m.reaction/r", halls[0]);
        world.put_as(&alice, &path, body).await.ok();
        let mut connection = Connection::new(&alice, all(1, 1, json!([])));
        let first = connection.next(&world).await;
        assert_eq!(sorted([&halls[0], &halls[3]]), {
            let mut told: Vec<String> = rooms(&first).into_iter().map(str::to_owned).collect();
            told.sort();
            told
        });
        assert_eq!(first["lists"]["all"]["count"], 4);
        let stamp = |hall: &str| first["rooms"][hall]["bump_stamp"].as_i64().unwrap();
        assert!(stamp(&halls[0]) < stamp(&halls[3]), "{first:#}");
        connection.body["lists"]["all"]["ranges"] = json!([[0, 3]]);
        let grown = connection.next(&world).await;
        assert_eq!(rooms(&grown).len(), 2, "the others are told already: {grown:#}");
        assert_eq!(grown["rooms"][&halls[1]]["initial"], true);
    })
    .await;
}

#[tokio::test]
async fn room_that_comes_back_into_the_window_is_told_from_where_it_was_told_last() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let (old, new) = (room(&world, &alice, "old").await, room(&world, &alice, "new").await);
        let mut connection = Connection::new(&alice, all(1, 5, json!([])));
        connection.next(&world).await;
        connection.body["lists"]["all"]["ranges"] = json!([[0, 0]]);
        connection.next(&world).await;
        for text in ["a", "b"] {
            send(&world, &alice, &old, text).await;
        }
        send(&world, &alice, &new, "c").await;
        // The old room is outside, and has missed something.
        let news = connection.next(&world).await;
        assert_eq!((rooms(&news), bodies(&news["rooms"][&new])), (vec![new.as_str()], vec!["c"]));
        connection.next(&world).await;
        send(&world, &alice, &old, "d").await;
        let news = connection.next(&world).await;
        let told = &news["rooms"][&old];
        assert_eq!((bodies(told), &told["limited"]), (vec!["a", "b", "d"], &json!(false)));
        assert_eq!((&told["initial"], &told["num_live"]), (&json!(null), &json!(1)));
    })
    .await;
}

#[tokio::test]
async fn room_that_missed_more_than_is_wanted_comes_back_with_a_gap_that_can_be_paged() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let (old, _new) = (room(&world, &alice, "old").await, room(&world, &alice, "new").await);
    let mut connection = Connection::new(&alice, all(1, 2, json!([])));
    connection.next(&world).await;
    connection.body["lists"]["all"]["ranges"] = json!([]);
    connection.next(&world).await;
    for text in ["a", "b", "c"] {
        send(&world, &alice, &old, text).await;
    }
    connection.next(&world).await;
    connection.body["lists"]["all"]["ranges"] = json!([[0, 1]]);
    let news = connection.next(&world).await;
    let told = &news["rooms"][&old];
    assert_eq!((bodies(told), &told["limited"]), (vec!["b", "c"], &json!(true)));
    let from = told["prev_batch"].as_str().unwrap();
    let page = world.get_as(&alice, &format!("v3/rooms/{old}/messages?dir=b&limit=1&from={from}")).await.ok();
    assert_eq!(page["chunk"][0]["content"]["body"], "a");
}

#[tokio::test]
async fn list_has_invitations_and_knocks_and_rooms_from_which_one_was_put_out() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let (invited, kicked) = (room(&world, &alice, "invited").await, room(&world, &alice, "kicked").await);
        let (banned, left) = (room(&world, &alice, "banned").await, room(&world, &alice, "left").await);
        let (forgotten, knocked) = (room(&world, &alice, "forgotten").await, room(&world, &alice, "k").await);
        set_state(&world, &alice, &knocked, "m.room.join_rules", "", json!({ "join_rule": "knock" })).await;
        invite(&world, &alice, &invited, &bob).await;
        for hall in [&kicked, &banned, &left, &forgotten] {
            join(&world, &bob, hall).await;
        }
        world.post_as(&bob, &format!("v3/knock/{knocked}"), json!({})).await.ok();
        for (hall, verb) in [(&kicked, "kick"), (&banned, "ban"), (&forgotten, "kick")] {
            let body = json!({ "user_id": bob.user_id });
            world.post_as(&alice, &format!("v3/rooms/{hall}/{verb}"), body).await.ok();
        }
        leave(&world, &bob, &left).await;
        world.post_as(&bob, &format!("v3/rooms/{forgotten}/forget"), json!({})).await.ok();
        let answer = Connection::of_all(&bob).next(&world).await;
        let mut told: Vec<String> = rooms(&answer).into_iter().map(str::to_owned).collect();
        told.sort();
        assert_eq!(told, sorted([&invited, &kicked, &banned, &knocked]));
        for (hall, membership) in [(&kicked, "leave"), (&banned, "ban")] {
            let events = answer["rooms"][hall]["required_state"].as_array().unwrap();
            let own = events.iter().find(|event| event["state_key"] == bob.user_id.as_str()).unwrap();
            assert_eq!(own["content"]["membership"], membership);
        }
        for (hall, membership) in [(&invited, "invite"), (&knocked, "knock")] {
            let told = &answer["rooms"][hall];
            let events = told["invite_state"].as_array().unwrap();
            let own = events.iter().find(|event| event["state_key"] == bob.user_id.as_str()).unwrap();
            assert_eq!(own["content"]["membership"], membership);
            assert!(told["timeline"].is_null() && told["bump_stamp"].as_i64().unwrap() > 1, "{told:#}");
        }
    })
    .await;
}

#[tokio::test]
async fn all_of_a_filter_must_hold() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let plain = room(&world, &alice, "plain").await;
        let secret = room(&world, &alice, "secret").await;
        let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
        set_state(&world, &alice, &secret, "m.room.encryption", "", algorithm).await;
        let space = json!({ "name": "space", "creation_content": { "type": "m.space" } });
        let space = world.post_as(&alice, "v3/createRoom", space).await.text("room_id");
        set_state(&world, &alice, &space, "m.space.child", &plain, json!({ "via": ["parvis.test"] })).await;
        set_state(&world, &alice, &space, "m.space.child", &secret, json!({})).await;
        let invited = room(&world, &bob, "invited").await;
        invite(&world, &bob, &invited, &alice).await;
        let user = &alice.user_id;
        let direct = json!({ &bob.user_id: [secret] });
        world.put_as(&alice, &format!("v3/user/{user}/account_data/m.direct"), direct).await.ok();
        let tag = format!("v3/user/{user}/rooms/{plain}/tags/m.favourite");
        world.put_as(&alice, &tag, json!({ "order": 0.5 })).await.ok();
        let everything = sorted([&plain, &secret, &space, &invited]);
        let cases: [(Value, Vec<String>); 14] = [
            (json!({}), everything.clone()),
            (json!({ "is_dm": true }), sorted([&secret])),
            (json!({ "is_dm": false }), sorted([&plain, &space, &invited])),
            (json!({ "is_encrypted": true }), sorted([&secret])),
            (json!({ "is_encrypted": false }), sorted([&plain, &space, &invited])),
            (json!({ "is_invite": true }), sorted([&invited])),
            (json!({ "is_invite": false, "is_dm": false }), sorted([&plain, &space])),
            (json!({ "room_types": ["m.space"] }), sorted([&space])),
            (json!({ "room_types": [null] }), sorted([&plain, &secret, &invited])),
            (json!({ "room_types": [null, "m.space"], "not_room_types": [null] }), sorted([&space])),
            (json!({ "not_room_types": ["m.space"] }), sorted([&plain, &secret, &invited])),
            (json!({ "spaces": [space] }), sorted([&plain])),
            (json!({ "tags": ["m.favourite", "u.work"] }), sorted([&plain])),
            (json!({ "tags": ["m.favourite"], "not_tags": ["m.favourite"] }), Vec::new()),
        ];
        for (filters, expected) in cases {
            assert_eq!(passing(&world, &alice, filters.clone()).await, expected, "{filters}");
        }
        assert_eq!(passing(&world, &alice, json!({ "not_tags": ["m.favourite"] })).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn room_enters_a_list_when_it_begins_to_pass_its_filter() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let (plain, secret) = (room(&world, &alice, "plain").await, room(&world, &alice, "secret").await);
    let mut body = all(99, 1, json!([]));
    body["lists"]["all"]["filters"] = json!({ "is_encrypted": true });
    let mut connection = Connection::new(&alice, body);
    assert_eq!(connection.next(&world).await["lists"]["all"]["count"], 0);
    send(&world, &alice, &plain, "hello").await;
    assert!(rooms(&connection.next(&world).await).is_empty());
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    set_state(&world, &alice, &secret, "m.room.encryption", "", algorithm).await;
    let news = connection.next(&world).await;
    assert_eq!((rooms(&news), &news["lists"]["all"]["count"]), (vec![secret.as_str()], &json!(1)));
    let tag = |action: &str| format!("v3/user/{}/rooms/{plain}/tags/{action}", alice.user_id);
    connection.body["lists"]["all"]["filters"] = json!({ "tags": ["u.x"] });
    assert_eq!(connection.next(&world).await["lists"]["all"]["count"], 0);
    world.put_as(&alice, &tag("u.x"), json!({})).await.ok();
    assert_eq!(rooms(&connection.next(&world).await), [plain.as_str()]);
}

#[tokio::test]
async fn window_from_the_middle_is_told_of_rooms_that_slide_into_it() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let (low, top) = (room(&world, &alice, "low").await, room(&world, &alice, "top").await);
    let mut body = all(0, 1, json!([]));
    body["lists"]["all"]["ranges"] = json!([[1, 1]]);
    let mut connection = Connection::new(&alice, body);
    assert_eq!(rooms(&connection.next(&world).await), [low.as_str()]);
    send(&world, &alice, &low, "up").await;
    let news = connection.next(&world).await;
    assert_eq!(rooms(&news), [top.as_str()], "{news:#}");
}

#[tokio::test]
async fn invitation_by_somebody_who_is_ignored_is_on_no_list() {
    let world = World::new().await;
    let (alice, mallory) = (world.register("alice").await, world.register("mallory").await);
    let hall = room(&world, &mallory, "hall").await;
    invite(&world, &mallory, &hall, &alice).await;
    let mut connection = Connection::of_all(&alice);
    assert_eq!(rooms(&connection.next(&world).await), [hall.as_str()]);
    let path = format!("v3/user/{}/account_data/m.ignored_user_list", alice.user_id);
    let ignored = json!({ "ignored_users": { &mallory.user_id: {} } });
    world.put_as(&alice, &path, ignored).await.ok();
    assert_eq!(connection.next(&world).await["lists"]["all"]["count"], 0);
}
