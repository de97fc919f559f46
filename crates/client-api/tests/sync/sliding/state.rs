//! The state that is told of rooms.

use serde_json::json;

use super::{Connection, all, bodies, join, leave, room, rooms, send, set_state, state};
use crate::world::{World, on_each_engine};

#[tokio::test]
async fn only_the_state_that_was_asked_for_is_told_and_later_only_what_changed() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let hall = room(&world, &alice, "hall").await;
        set_state(&world, &alice, &hall, "org.example.thing", "a", json!({ "n": 1 })).await;
        set_state(&world, &alice, &hall, "org.example.thing", "b", json!({ "n": 1 })).await;
        let wanted = json!([["m.room.name", ""], ["org.example.thing", "*"], ["m.room.topic", ""]]);
        let mut connection = Connection::new(&alice, all(9, 1, wanted));
        let first = connection.next(&world).await;
        let expected = [("m.room.name", ""), ("org.example.thing", "a"), ("org.example.thing", "b")];
        assert_eq!(state(&first["rooms"][&hall]), expected);
        send(&world, &alice, &hall, "hello").await;
        assert!(connection.next(&world).await["rooms"][&hall]["required_state"].is_null());
        set_state(&world, &alice, &hall, "org.example.thing", "b", json!({ "n": 2 })).await;
        set_state(&world, &alice, &hall, "org.example.other", "b", json!({ "n": 2 })).await;
        let told = &connection.next(&world).await["rooms"][&hall];
        assert_eq!(state(told), [("org.example.thing", "b")]);
        assert_eq!(told["required_state"][0]["content"]["n"], 2);
        assert_eq!(told["limited"], true, "the state is told, though its event is in the gap");
    })
    .await;
}

#[tokio::test]
async fn state_that_is_asked_for_later_is_told_as_it_is() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let hall = room(&world, &alice, "hall").await;
        let mut connection = Connection::new(&alice, all(9, 1, json!([["m.room.name", ""]])));
        connection.next(&world).await;
        connection.body["lists"]["all"]["required_state"] =
            json!([["m.room.name", ""], ["m.room.create", ""]]);
        let told = connection.wait(&world).await;
        assert_eq!(state(&told["rooms"][&hall]), [("m.room.create", "")]);
        assert!(bodies(&told["rooms"][&hall]).is_empty());
        // What is not asked for any more, and then again, may have changed meanwhile.
        connection.body["lists"]["all"]["required_state"] = json!([["m.room.create", ""]]);
        assert!(rooms(&connection.next(&world).await).is_empty());
        set_state(&world, &alice, &hall, "m.room.name", "", json!({ "name": "other" })).await;
        connection.next(&world).await;
        connection.body["lists"]["all"]["required_state"] =
            json!([["m.room.name", ""], ["m.room.create", ""]]);
        let told = connection.next(&world).await;
        assert_eq!(state(&told["rooms"][&hall]), [("m.room.name", "")]);
        assert_eq!(told["rooms"][&hall]["required_state"][0]["content"]["name"], "other");
    })
    .await;
}

#[tokio::test]
async fn own_membership_and_everything_can_be_asked_for() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let hall = room(&world, &alice, "hall").await;
    join(&world, &bob, &hall).await;
    let own = Connection::new(&alice, all(9, 1, json!([["m.room.member", "$ME"]]))).next(&world).await;
    assert_eq!(state(&own["rooms"][&hall]), [("m.room.member", alice.user_id.as_str())]);
    let everything = Connection::new(&alice, all(9, 1, json!([["*", "*"]]))).next(&world).await;
    let everything = state(&everything["rooms"][&hall]).len();
    let whole = world.get_as(&alice, &format!("v3/rooms/{hall}/state")).await.ok();
    assert_eq!(everything, whole.as_array().unwrap().len());
    let lazy = json!([["*", "*"], ["m.room.member", "$LAZY"]]);
    let lazy = Connection::new(&alice, all(9, 0, lazy)).next(&world).await;
    assert_eq!(state(&lazy["rooms"][&hall]).len(), everything - 2, "nobody has to do with an empty timeline");
    let keys = Connection::new(&alice, all(9, 0, json!([["*", ""]]))).next(&world).await;
    assert_eq!(state(&keys["rooms"][&hall]).len(), everything - 2);
}

#[tokio::test]
async fn lazily_loaded_members_are_told_once_for_who_has_to_do_with_the_timeline() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let carol = world.register("carol").await;
        let hall = room(&world, &alice, "hall").await;
        join(&world, &bob, &hall).await;
        join(&world, &carol, &hall).await;
        send(&world, &bob, &hall, "a").await;
        let mut connection = Connection::new(&alice, all(9, 1, json!([["m.room.member", "$LAZY"]])));
        let told = &connection.next(&world).await["rooms"][&hall];
        assert_eq!(state(told), [("m.room.member", bob.user_id.as_str())]);
        send(&world, &carol, &hall, "b").await;
        let lost = connection.again(&world).await;
        assert_eq!(state(&lost["rooms"][&hall]), [("m.room.member", carol.user_id.as_str())]);
        let told = &connection.next(&world).await["rooms"][&hall];
        assert_eq!(state(told), [("m.room.member", carol.user_id.as_str())], "the first answer was lost");
        send(&world, &bob, &hall, "c").await;
        assert!(state(&connection.next(&world).await["rooms"][&hall]).is_empty());
        // Without a gap every change of a membership is told.
        let dave = world.register("dave").await;
        join(&world, &dave, &hall).await;
        let told = &connection.next(&world).await["rooms"][&hall];
        assert_eq!(state(told), [("m.room.member", dave.user_id.as_str())]);
        // In a gap only those of whom the client was told.
        let erin = world.register("erin").await;
        join(&world, &erin, &hall).await;
        leave(&world, &bob, &hall).await;
        send(&world, &alice, &hall, "d").await;
        let told = &connection.next(&world).await["rooms"][&hall];
        assert_eq!(told["limited"], true);
        let mut expected =
            vec![("m.room.member", alice.user_id.as_str()), ("m.room.member", bob.user_id.as_str())];
        expected.sort_unstable();
        assert_eq!(state(told), expected);
    })
    .await;
}
