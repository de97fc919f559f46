//! Coming back into a room of other servers, which have to know first that one was away.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use parvis_events::RoomVersion;
use parvis_rooms::{Actor, RoomError};
use ruma::OwnedRoomId;
use serde_json::{json, value::RawValue};

use crate::{
    across::{Across, Server, across},
    handshakes::{names, public},
    world::json as raw,
};

/// Lets time pass, for as long as it is waited for.
async fn pass(world: &Across) {
    loop {
        world.clock.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Tells one server what another knows of its user's departure, and waits until it counts.
async fn hear_of_departure(from: &Server, to: &Server, user: &Actor, room_id: &OwnedRoomId) {
    let room = from.store.room_sn(room_id).await.unwrap().unwrap();
    let member = from.store.member(user.user, room).await.unwrap().unwrap();
    let event = from.store.event(member.event).await.unwrap();
    let raw = RawValue::from_string(event.pdu.json().to_owned()).unwrap();
    let origin = ruma::ServerName::parse(from.name.as_str()).unwrap();
    let outcomes = to.rooms.receive(&origin, vec![raw]).await.unwrap();
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()), "{outcomes:?}");
    for _ in 0..1_000 {
        if to.membership(&user.user_id, room_id).await == Some("leave") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the departure is not heard of");
}

#[tokio::test]
async fn room_that_was_left_is_joined_again_as_it_is_now() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    let room_id = a.rooms.create(&alice, public(RoomVersion::V12)).await.unwrap();
    b.join(&bob, &room_id, &["a.test"]).await.unwrap();
    let name = raw(&json!({ "name": "before" }));
    a.rooms.set_state(&alice, &room_id, "m.room.name", "", &name).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    b.leave(&bob, &room_id).await.unwrap();
    // Nothing here delivers the departure. Whoever has not heard of it would tell another room than the one to come:
    // they are asked a few times, and let nobody in by it.
    let name = raw(&json!({ "name": "after" }));
    a.rooms.set_state(&alice, &room_id, "m.room.name", "", &name).await.unwrap();
    let unheard = tokio::select! {
        joined = b.join(&bob, &room_id, &["a.test"]) => joined,
        () = pass(&world) => unreachable!("time passes for ever"),
    };
    assert!(
        matches!(&unheard, Err(RoomError::Unreachable(said)) if said.contains("has not heard")),
        "{unheard:?}"
    );
    assert_eq!(b.membership(&bob.user_id, &room_id).await, Some("leave"));
    hear_of_departure(b, a, &bob, &room_id).await;
    b.join(&bob, &room_id, &["a.test"]).await.unwrap();
    assert_eq!(b.content(&room_id, "m.room.name", "").await.unwrap()["name"], "after");
    assert_eq!(a.state(&room_id).await, b.state(&room_id).await);
    // Without a server to ask, the room's servers as they were then are asked.
    world.clock.advance(Duration::from_secs(1));
    b.leave(&bob, &room_id).await.unwrap();
    hear_of_departure(b, a, &bob, &room_id).await;
    b.join(&bob, &room_id, &[]).await.unwrap();
    // And what comes next stands on what came.
    b.rooms.set_state(&bob, &room_id, "org.test", "", &name).await.unwrap_err();
}
