//! Entering and leaving rooms.

use parvis_events::Membership;
use parvis_policy::Preset;
use parvis_rooms::{Action, CreateRoom, InitialState, RoomError};
use parvis_storage::Position;
use serde_json::json;

use crate::world::{json, world};

#[tokio::test]
async fn private_room_lets_in_only_who_is_invited() {
    let world = world().await;
    let (alice, bob, carol) =
        (world.person("alice").await, world.person("bob").await, world.person("carol").await);
    let room_id =
        world.room(&alice, CreateRoom { invite: vec![bob.user_id.clone()], ..CreateRoom::default() }).await;
    world.join(&bob, &room_id).await.unwrap();
    assert!(matches!(world.join(&carol, &room_id).await, Err(RoomError::Forbidden(_))));
    assert!(matches!(world.rooms.state(&carol, &room_id).await, Err(RoomError::Forbidden(_))));
}

#[tokio::test]
async fn joining_twice_makes_one_event() {
    let world = world().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let wanted = CreateRoom { preset: Some(Preset::PublicChat), ..CreateRoom::default() };
    let room_id = world.room(&alice, wanted).await;
    world.join(&bob, &room_id).await.unwrap();
    let before = world.history(&alice, &room_id).await.len();
    world.join(&bob, &room_id).await.unwrap();
    assert_eq!(world.history(&alice, &room_id).await.len(), before);
}

/// Who may do what to whom, by the target's membership before.
#[tokio::test]
async fn actions_on_members_follow_the_table() {
    let table = [
        (Membership::Leave, Action::Invite, true),
        (Membership::Invite, Action::Invite, true),
        (Membership::Join, Action::Invite, false),
        (Membership::Ban, Action::Invite, false),
        (Membership::Leave, Action::Kick, false),
        (Membership::Invite, Action::Kick, true),
        (Membership::Join, Action::Kick, true),
        (Membership::Ban, Action::Kick, false),
        (Membership::Leave, Action::Ban, true),
        (Membership::Invite, Action::Ban, true),
        (Membership::Join, Action::Ban, true),
        (Membership::Ban, Action::Ban, true),
        (Membership::Leave, Action::Unban, false),
        (Membership::Invite, Action::Unban, false),
        (Membership::Join, Action::Unban, false),
        (Membership::Ban, Action::Unban, true),
    ];
    let world = world().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    for (before, action, allowed) in table {
        let room_id = world.room(&alice, CreateRoom::default()).await;
        let room = world.rooms.find(&room_id).await.unwrap();
        let act = async |action| world.rooms.act_on_member(&alice, room, &bob.user_id, action, None).await;
        if before != Membership::Leave {
            act(Action::Invite).await.unwrap();
        }
        if before == Membership::Join {
            world.join(&bob, &room_id).await.unwrap();
        }
        if before == Membership::Ban {
            act(Action::Ban).await.unwrap();
        }
        let outcome = act(action).await;
        assert_eq!(outcome.is_ok(), allowed, "{before} then {action:?}: {outcome:?}");
        // Somebody without power may do none of it.
        let carol = world.person("carol").await;
        let outcome = world.rooms.act_on_member(&carol, room, &bob.user_id, action, None).await;
        assert!(matches!(outcome, Err(RoomError::Forbidden(_))), "{before} then {action:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn members_at_a_place_before_all_events_are_those_who_were_there_first() {
    let world = world().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let wanted = CreateRoom { preset: Some(Preset::PublicChat), ..CreateRoom::default() };
    let room_id = world.room(&alice, wanted).await;
    world.join(&bob, &room_id).await.unwrap();
    let members = async |at| {
        let members = world.rooms.members(&alice, &room_id, at).await.unwrap();
        members.iter().map(|event| event.pdu.sender().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(members(Some(Position::START)).await, std::slice::from_ref(&alice.user_id));
    assert_eq!(members(None).await.len(), 2);
}

#[tokio::test]
async fn who_left_reads_the_state_at_the_departure() {
    let world = world().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let room_id =
        world.room(&alice, CreateRoom { invite: vec![bob.user_id.clone()], ..CreateRoom::default() }).await;
    world.join(&bob, &room_id).await.unwrap();
    let name = |name: &str| json(&json!({ "name": name }));
    world.rooms.set_state(&alice, &room_id, "m.room.name", "", &name("before")).await.unwrap();
    let room = world.rooms.find(&room_id).await.unwrap();
    world.rooms.leave(&bob, room, None).await.unwrap();
    world.rooms.set_state(&alice, &room_id, "m.room.name", "", &name("after")).await.unwrap();
    world.say(&alice, &room_id, "he is gone", "1").await.unwrap();
    assert_eq!(world.content(&bob, &room_id, "m.room.name", "").await.unwrap()["name"], "before");
    assert_eq!(world.history(&bob, &room_id).await.last().unwrap(), "m.room.member");
    world.rooms.forget(&bob, room).await.unwrap();
    assert!(world.rooms.state(&bob, &room_id).await.is_err());
    assert!(matches!(world.rooms.forget(&alice, room).await, Err(RoomError::NotLeft)));
}

#[tokio::test]
async fn restricted_room_lets_in_the_members_of_the_rooms_that_it_names() {
    let world = world().await;
    let (alice, bob, carol) =
        (world.person("alice").await, world.person("bob").await, world.person("carol").await);
    let space =
        world.room(&alice, CreateRoom { preset: Some(Preset::PublicChat), ..CreateRoom::default() }).await;
    let rules = json!({
        "join_rule": "restricted",
        "allow": [{ "type": "m.room_membership", "room_id": space }],
    });
    let initial_state = vec![InitialState {
        kind: "m.room.join_rules".into(),
        state_key: String::new(),
        content: json(&rules),
    }];
    let room_id = world.room(&alice, CreateRoom { initial_state, ..CreateRoom::default() }).await;
    world.join(&bob, &space).await.unwrap();
    world.join(&bob, &room_id).await.unwrap();
    let member = world.content(&alice, &room_id, "m.room.member", bob.user_id.as_str()).await.unwrap();
    assert_eq!(member["join_authorised_via_users_server"], "@alice:parvis.test");
    assert!(matches!(world.join(&carol, &room_id).await, Err(RoomError::Forbidden(_))));
}

#[tokio::test]
async fn knock_is_answered_by_an_invitation() {
    let world = world().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let rules = json(&json!({ "join_rule": "knock" }));
    let initial_state =
        vec![InitialState { kind: "m.room.join_rules".into(), state_key: String::new(), content: rules }];
    let room_id = world.room(&alice, CreateRoom { initial_state, ..CreateRoom::default() }).await;
    let room = world.rooms.find(&room_id).await.unwrap();
    assert!(world.join(&bob, &room_id).await.is_err());
    world.rooms.knock(&bob, &room_id, &[], Some("please")).await.unwrap();
    world.rooms.act_on_member(&alice, room, &bob.user_id, Action::Invite, None).await.unwrap();
    world.join(&bob, &room_id).await.unwrap();
    let closed = world.room(&alice, CreateRoom::default()).await;
    assert!(matches!(world.rooms.knock(&bob, &closed, &[], None).await, Err(RoomError::Forbidden(_))));
}
