//! Making rooms.

use parvis_events::RoomVersion;
use parvis_policy::{
    ClientKind, Preset,
    encryption::{EncryptionPolicy, Level},
};
use parvis_rooms::{CreateRoom, InitialState, RoomError};
use serde_json::json;

use crate::world::{for_each, json, world, world_with};

fn encryption() -> InitialState {
    InitialState {
        kind: "m.room.encryption".to_owned(),
        state_key: String::new(),
        content: json(&json!({ "algorithm": "m.megolm.v1.aes-sha2" })),
    }
}

#[tokio::test]
async fn events_of_a_new_room_come_in_the_order_of_the_specification() {
    for_each(RoomVersion::supported(), async |version| {
        let world = world().await;
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let wanted = CreateRoom {
            name: Some("Hall".to_owned()),
            topic: Some("Talk".to_owned()),
            alias_name: Some("hall".to_owned()),
            invite: vec![bob.user_id.clone()],
            room_version: Some(version.as_str().to_owned()),
            ..CreateRoom::default()
        };
        let room_id = world.room(&alice, wanted).await;
        let expected = [
            "m.room.create",
            "m.room.member",
            "m.room.power_levels",
            "m.room.canonical_alias",
            "m.room.join_rules",
            "m.room.history_visibility",
            "m.room.guest_access",
            "m.room.name",
            "m.room.topic",
            "m.room.member",
        ];
        assert_eq!(world.history(&alice, &room_id).await, expected, "version {version:?}");
        let public = CreateRoom {
            preset: Some(Preset::PublicChat),
            room_version: Some(version.as_str().to_owned()),
            ..CreateRoom::default()
        };
        let public = world.room(&alice, public).await;
        assert_eq!(world.content(&alice, &public, "m.room.guest_access", "").await, None, "guests stay out");
        assert_eq!(room_id.server_name().is_none(), version.room_id_is_create_hash());
        let levels = world.content(&alice, &room_id, "m.room.power_levels", "").await.unwrap();
        let named = levels["users"].get("@alice:parvis.test").is_some();
        assert_ne!(named, version.creators_have_infinite_power());
    })
    .await;
}

#[tokio::test]
async fn alias_in_use_leaves_no_room_behind() {
    let world = world().await;
    let alice = world.person("alice").await;
    let wanted = || CreateRoom { alias_name: Some("hall".to_owned()), ..CreateRoom::default() };
    world.room(&alice, wanted()).await;
    assert!(matches!(world.rooms.create(&alice, wanted()).await, Err(RoomError::AliasInUse)));
    assert_eq!(world.rooms.joined_rooms(alice.user).await.unwrap().len(), 1);
}

#[tokio::test]
async fn unknown_room_version_is_refused() {
    let world = world().await;
    let alice = world.person("alice").await;
    for version in ["1", "5", "13", "org.example"] {
        let wanted = CreateRoom { room_version: Some(version.to_owned()), ..CreateRoom::default() };
        assert!(matches!(world.rooms.create(&alice, wanted).await, Err(RoomError::UnsupportedVersion(_))));
    }
}

#[tokio::test]
async fn invited_people_of_a_trusted_chat_have_the_creators_power() {
    for_each([RoomVersion::V11, RoomVersion::V12], async |version| {
        let world = world_with(EncryptionPolicy::default(), version).await;
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let wanted = CreateRoom {
            preset: Some(Preset::TrustedPrivateChat),
            is_direct: true,
            invite: vec![bob.user_id.clone()],
            ..CreateRoom::default()
        };
        let room_id = world.room(&alice, wanted).await;
        world.join(&bob, &room_id).await.unwrap();
        let content = json(&json!({ "users_default": 5, "users": {} }));
        let changed = world.rooms.set_state(&bob, &room_id, "m.room.power_levels", "", &content).await;
        // In version 11 the levels name alice at 100, whom bob cannot take down.
        assert_eq!(changed.is_ok(), version == RoomVersion::V12, "{changed:?}");
        let name = json(&json!({ "name": "Ours" }));
        world.rooms.set_state(&bob, &room_id, "m.room.name", "", &name).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn encryption_is_left_out_where_the_organisation_has_it_off_and_can_be_turned_on_later() {
    let world = world().await;
    let mut alice = world.person("alice").await;
    alice.client = ClientKind::IgnoresPublishedDefault;
    let wanted = CreateRoom { initial_state: vec![encryption()], ..CreateRoom::default() };
    let room_id = world.room(&alice, wanted).await;
    assert_eq!(world.content(&alice, &room_id, "m.room.encryption", "").await, None);
    let content = encryption().content;
    world.rooms.set_state(&alice, &room_id, "m.room.encryption", "", &content).await.unwrap();
    assert!(world.content(&alice, &room_id, "m.room.encryption", "").await.is_some());
}

#[tokio::test]
async fn upgrade_carries_encryption_over_even_where_it_is_forbidden_by_now() {
    let client = EncryptionPolicy { private: Level::Client, ..EncryptionPolicy::default() };
    let world = world_with(client, RoomVersion::V10).await;
    let alice = world.person("alice").await;
    let room_id =
        world.room(&alice, CreateRoom { initial_state: vec![encryption()], ..CreateRoom::default() }).await;
    let new_id = world.rooms.upgrade(&alice, &room_id, "12", &[]).await.unwrap();
    assert!(world.content(&alice, &new_id, "m.room.encryption", "").await.is_some());
    let tombstone = world.content(&alice, &room_id, "m.room.tombstone", "").await.unwrap();
    assert_eq!(tombstone["replacement_room"], new_id.as_str());
    let create = world.content(&alice, &new_id, "m.room.create", "").await.unwrap();
    assert_eq!(create["predecessor"]["room_id"], room_id.as_str());
}

#[tokio::test]
async fn rooms_made_alike_in_the_same_millisecond_are_two_rooms() {
    let world = world().await;
    let alice = world.person("alice").await;
    let one = world.room(&alice, CreateRoom::default()).await;
    let two = world.room(&alice, CreateRoom::default()).await;
    assert_ne!(one, two);
}

#[tokio::test]
async fn creators_are_users_and_have_no_power_levels() {
    let world = world().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let with_creators = |creators: serde_json::Value| {
        let creation_content = [("additional_creators".to_owned(), creators)].into_iter().collect();
        CreateRoom { preset: Some(Preset::PublicChat), creation_content, ..CreateRoom::default() }
    };
    for creators in [json!("bob"), json!(["@b:c.d", 42]), json!(["@b:c.d", "bob"]), json!(["@b:c$d.e"])] {
        let refused = world.rooms.create(&alice, with_creators(creators.clone())).await;
        assert!(matches!(refused, Err(RoomError::InvalidParam(_))), "{creators}: {refused:?}");
    }
    let room_id = world.room(&alice, with_creators(json!([bob.user_id]))).await;
    for creator in [&alice, &bob] {
        let levels = json(&json!({ "users": { creator.user_id.as_str(): 100 } }));
        let refused = world.rooms.set_state(&alice, &room_id, "m.room.power_levels", "", &levels).await;
        assert!(matches!(refused, Err(RoomError::BadState(_))), "{refused:?}");
    }
    let levels = json(&json!({ "users": { "@carol:parvis.test": 100 } }));
    world.rooms.set_state(&alice, &room_id, "m.room.power_levels", "", &levels).await.unwrap();
    let again = json(&json!({ "room_version": "12" }));
    let refused = world.rooms.set_state(&alice, &room_id, "m.room.create", "", &again).await;
    assert!(matches!(refused, Err(RoomError::BadState(_))), "{refused:?}");
}
