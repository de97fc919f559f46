//! Positions: where a connection stands, and that an answer may be lost.

use std::time::Duration;

use serde_json::json;

use super::{Connection, all, ask, bodies, room, rooms, send, set_state};
use crate::world::{World, client, on_each_engine};

#[tokio::test]
async fn server_says_that_it_knows_sliding_sync() {
    let world = World::new().await;
    let (_, versions) = world.get("/_matrix/client/versions").await;
    assert_eq!(versions["unstable_features"]["org.matrix.simplified_msc3575"], true);
}

#[tokio::test]
async fn first_answer_comes_at_once_and_later_ones_tell_what_is_new() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let hall = room(&world, &alice, "hall").await;
        let mut connection = Connection::of_all(&alice);
        let first = connection.wait(&world).await;
        assert_eq!((rooms(&first), &first["rooms"][&hall]["initial"]), (vec![hall.as_str()], &json!(true)));
        assert_eq!(first["lists"]["all"]["count"], 1);
        send(&world, &alice, &hall, "hello").await;
        let news = connection.wait(&world).await;
        let told = &news["rooms"][&hall];
        assert_eq!(
            (bodies(told), &told["initial"], &told["limited"]),
            (vec!["hello"], &json!(null), &json!(false))
        );
        assert_eq!(told["num_live"], 1);
        assert_eq!(told["timeline"][0]["unsigned"]["transaction_id"], "hello");
        let nothing = connection.next(&world).await;
        assert!(rooms(&nothing).is_empty() && nothing["lists"]["all"]["count"] == 1, "{nothing:#}");
    })
    .await;
}

#[tokio::test]
async fn request_with_the_same_position_is_answered_again_until_the_next_one_is_used() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let hall = room(&world, &alice, "hall").await;
        let mut connection = Connection::of_all(&alice);
        connection.next(&world).await;
        send(&world, &alice, &hall, "one").await;
        let lost = connection.again(&world).await;
        assert_eq!(bodies(&lost["rooms"][&hall]), ["one"]);
        send(&world, &alice, &hall, "two").await;
        // Another body may come with the same position.
        connection.body["lists"]["all"]["ranges"] = json!([[0, 5]]);
        let before = connection.pos.clone().unwrap();
        let again = connection.next(&world).await;
        assert_eq!(bodies(&again["rooms"][&hall]), ["one", "two"]);
        assert!(rooms(&connection.next(&world).await).is_empty());
        let old = ask(&world, &alice, &format!("pos={before}"), &connection.body).await;
        assert_eq!(old.error(), (400, "M_UNKNOWN_POS"));
        let lost = lost["pos"].as_str().unwrap();
        let lost = ask(&world, &alice, &format!("pos={lost}"), &connection.body).await;
        assert_eq!(lost.error(), (400, "M_UNKNOWN_POS"));
    })
    .await;
}

#[tokio::test]
async fn position_is_good_for_its_user_its_device_and_its_connection_alone() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let mut connection = Connection::of_all(&alice);
    connection.next(&world).await;
    let query = connection.query(0);
    let other_device = client(&world.login("alice", json!({})).await);
    for other in [&bob, &other_device] {
        let answer = ask(&world, other, &query, &connection.body).await;
        assert_eq!(answer.error(), (400, "M_UNKNOWN_POS"));
    }
    let mut other_connection = connection.body.clone();
    other_connection["conn_id"] = json!("other");
    assert_eq!(ask(&world, &alice, &query, &other_connection).await.error(), (400, "M_UNKNOWN_POS"));
    let invented = ask(&world, &alice, "pos=s1_2_3_c4", &connection.body).await;
    assert_eq!(invented.error(), (400, "M_UNKNOWN_POS"));
    assert_eq!(ask(&world, &alice, &query, &connection.body).await.status, 200);
}

#[tokio::test]
async fn two_connections_of_a_device_do_not_know_of_each_other() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let hall = room(&world, &alice, "hall").await;
    let mut body = all(9, 1, json!([]));
    body["conn_id"] = json!("one");
    let mut one = Connection::new(&alice, body.clone());
    body["conn_id"] = json!("two");
    let mut two = Connection::new(&alice, body);
    one.next(&world).await;
    two.next(&world).await;
    send(&world, &alice, &hall, "hello").await;
    assert_eq!(bodies(&one.next(&world).await["rooms"][&hall]), ["hello"]);
    assert_eq!(bodies(&two.next(&world).await["rooms"][&hall]), ["hello"]);
}

#[tokio::test]
async fn connection_without_a_position_begins_anew() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let hall = room(&world, &alice, "hall").await;
    let mut connection = Connection::of_all(&alice);
    connection.next(&world).await;
    let before = connection.query(0);
    connection.pos = None;
    let anew = connection.next(&world).await;
    assert_eq!(anew["rooms"][&hall]["initial"], true);
    assert_eq!(ask(&world, &alice, &before, &connection.body).await.error(), (400, "M_UNKNOWN_POS"));
}

#[tokio::test]
async fn position_is_forgotten_when_it_is_not_used_for_a_week() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let mut connection = Connection::of_all(&alice);
    connection.next(&world).await;
    world.wait(6 * 86_400);
    connection.next(&world).await;
    world.wait(7 * 86_400);
    let answer = ask(&world, &alice, &connection.query(0), &connection.body).await;
    assert_eq!(answer.error(), (400, "M_UNKNOWN_POS"));
}

#[tokio::test]
async fn position_that_was_stored_for_days_is_told_what_came_into_its_window_meanwhile() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let mut halls = Vec::new();
        for name in ["oldest", "older", "newer", "newest"] {
            halls.push(room(&world, &alice, name).await);
        }
        let [oldest, older, newer, newest] = halls.as_slice() else { unreachable!() };
        let mut connection = Connection::new(&alice, all(1, 5, json!([["m.room.name", ""]])));
        let mut both = vec![newer.as_str(), newest.as_str()];
        both.sort_unstable();
        assert_eq!(rooms(&connection.next(&world).await), both);
        // An event of any kind brings a room to the top, a message or another name; what nobody wrote in stays below.
        send(&world, &alice, oldest, "away").await;
        world.wait(5 * 86_400);
        set_state(&world, &alice, newer, "m.room.name", "", json!({ "name": "renamed" })).await;
        let news = connection.next(&world).await;
        let mut both = vec![oldest.as_str(), newer.as_str()];
        both.sort_unstable();
        assert_eq!((rooms(&news), &news["lists"]["all"]["count"]), (both, &json!(4)));
        let (oldest, renamed) = (&news["rooms"][oldest], &news["rooms"][newer]);
        assert_eq!((bodies(oldest).last(), &oldest["initial"]), (Some(&"away"), &json!(true)));
        assert_eq!((&renamed["name"], &renamed["initial"]), (&json!("renamed"), &json!(null)));
        assert_eq!(renamed["timeline"].as_array().map(Vec::len), Some(1));
        send(&world, &alice, older, "back").await;
        assert_eq!(rooms(&connection.next(&world).await), [older.as_str()]);
    })
    .await;
}

#[tokio::test]
async fn who_was_away_is_told_of_a_hundred_rooms_but_begins_anew_with_more() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let mut halls = Vec::new();
    for number in 0..101 {
        halls.push(room(&world, &alice, &format!("hall {number}")).await);
    }
    let mut connection = Connection::new(&alice, all(200, 1, json!([])));
    connection.next(&world).await;
    for hall in &halls[..100] {
        send(&world, &alice, hall, "one").await;
    }
    world.wait(2 * 3_600);
    assert_eq!(rooms(&connection.next(&world).await).len(), 100);
    for hall in &halls {
        send(&world, &alice, hall, "two").await;
    }
    world.wait(2 * 3_600);
    let answer = ask(&world, &alice, &connection.query(0), &connection.body).await;
    assert_eq!(answer.error(), (400, "M_UNKNOWN_POS"));
}

#[tokio::test]
async fn wait_ends_with_a_message_and_otherwise_when_its_time_is_over() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let hall = room(&world, &alice, "hall").await;
    let mut connection = Connection::of_all(&alice);
    connection.next(&world).await;
    let waiting = connection.wait(&world);
    let sending = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        send(&world, &alice, &hall, "hello").await;
    };
    let (news, ()) = tokio::join!(waiting, sending);
    assert_eq!(bodies(&news["rooms"][&hall]), ["hello"]);
    let waiting = connection.wait(&world);
    let passing = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.wait(11);
    };
    let (nothing, ()) = tokio::join!(waiting, passing);
    assert!(rooms(&nothing).is_empty() && nothing["lists"]["all"]["count"] == 1, "{nothing:#}");
    assert_eq!(nothing["extensions"], json!({}));
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let backwards =
        json!({ "lists": { "a": { "ranges": [[5, 1]], "timeline_limit": 1, "required_state": [] } } });
    assert_eq!(ask(&world, &alice, "", &backwards).await.error(), (400, "M_INVALID_PARAM"));
    let no_list = json!({ "lists": { "a": 5 } });
    assert_eq!(ask(&world, &alice, "", &no_list).await.error(), (400, "M_BAD_JSON"));
    let strange = json!({ "extensions": { "to_device": { "enabled": true, "since": "x" } } });
    assert_eq!(ask(&world, &alice, "", &strange).await.error(), (400, "M_INVALID_PARAM"));
    let answer = world.send(http::Method::POST, super::PATH, None, json!({})).await;
    assert_eq!(answer.error(), (401, "M_MISSING_TOKEN"));
}

#[tokio::test]
async fn unknown_extensions_and_empty_filters_are_ignored() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let hall = room(&world, &alice, "hall").await;
    let mut body = all(19, 1, json!([["m.room.member", "$LAZY"], ["m.room.member", "$ME"]]));
    body["lists"]["all"]["filters"] = json!({});
    body["conn_id"] = json!("room-list");
    body["extensions"] = json!({
        "org.matrix.msc4262.profiles": { "enabled": true, "fields": [] },
        "org.example.unheard": 5,
    });
    let answer = ask(&world, &alice, "timeout=0", &body).await.ok();
    assert_eq!((rooms(&answer), &answer["extensions"]), (vec![hall.as_str()], &json!({})));
}
