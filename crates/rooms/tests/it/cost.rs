//! What entering and making rooms costs: how many statements are read with.

use parvis_policy::Preset;
use parvis_rooms::CreateRoom;
use serde_json::json;

use crate::world::{json, world};

fn open_room() -> CreateRoom {
    CreateRoom { preset: Some(Preset::PublicChat), ..CreateRoom::default() }
}

#[tokio::test]
async fn join_asks_who_joins_and_where_their_slot_is_and_nothing_afterwards() {
    let world = world().await;
    let alice = world.person("alice").await;
    let room_id = world.room(&alice, open_room()).await;
    for number in 0..3 {
        let bob = world.person(&format!("bob{number}")).await;
        let before = world.store.reads();
        world.join(&bob, &room_id).await.unwrap();
        let room = world.rooms.find(&room_id).await.unwrap();
        world.store.room_head(room).await.unwrap();
        let members = world.store.members_of_room(room).await.unwrap();
        assert_eq!(members.counts().0, number + 2);
        world.store.servers_of_room(room).await.unwrap();
        let cost = world.store.reads() - before;
        // The rooms of the user, the profile, the slot.
        assert!(cost <= 3, "{cost} statements");
    }
}

#[tokio::test]
async fn who_makes_a_room_has_it_in_memory() {
    let world = world().await;
    let alice = world.person("alice").await;
    world.room(&alice, open_room()).await;
    let before = world.store.reads();
    let room_id = world.room(&alice, open_room()).await;
    let room = world.rooms.find(&room_id).await.unwrap();
    assert!(world.store.members_of_room(room).await.unwrap().is_joined(alice.user));
    assert_eq!(world.store.servers_of_room(room).await.unwrap().len(), 1);
    assert_eq!(world.store.room_head(room).await.unwrap().unwrap().head_version, 1);
    let cost = world.store.reads() - before;
    // The profile.
    assert!(cost <= 1, "{cost} statements");
}

#[tokio::test]
async fn type_that_was_absent_is_found_once_it_is_there() {
    let world = world().await;
    let alice = world.person("alice").await;
    let room_id = world.room(&alice, open_room()).await;
    assert!(world.content(&alice, &room_id, "org.example.colour", "").await.is_none());
    let content = json(&json!({ "colour": "blue" }));
    world.rooms.set_state(&alice, &room_id, "org.example.colour", "", &content).await.unwrap();
    let found = world.content(&alice, &room_id, "org.example.colour", "").await.unwrap();
    assert_eq!(found["colour"], "blue");
}
