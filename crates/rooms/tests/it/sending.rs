//! Sending and redacting.

use std::collections::HashSet;

use parvis_policy::Preset;
use parvis_rooms::{CreateRoom, RoomError, SendEvent};
use parvis_storage::{Direction, EventFlags};
use serde_json::json;

use crate::world::{json, world};

#[tokio::test]
async fn retry_of_a_transaction_sends_once() {
    let world = world().await;
    let alice = world.person("alice").await;
    let room_id = world.room(&alice, CreateRoom::default()).await;
    let before = world.history(&alice, &room_id).await.len();
    let sends = (0..20).map(|_| world.say(&alice, &room_id, "once", "t1"));
    let mut event_ids = HashSet::new();
    for sent in futures_util::future::join_all(sends).await {
        event_ids.insert(sent.unwrap());
    }
    event_ids.insert(world.say(&alice, &room_id, "once", "t1").await.unwrap());
    assert_eq!(event_ids.len(), 1);
    assert_eq!(world.history(&alice, &room_id).await.len(), before + 1);
}

#[tokio::test]
async fn many_senders_in_one_room_lose_and_double_nothing() {
    let world = world().await;
    let alice = world.person("alice").await;
    let room_id =
        world.room(&alice, CreateRoom { preset: Some(Preset::PublicChat), ..CreateRoom::default() }).await;
    let mut people = Vec::new();
    for number in 0..8 {
        let person = world.person(&format!("p{number}")).await;
        world.join(&person, &room_id).await.unwrap();
        people.push(person);
    }
    let sends = people.iter().flat_map(|person| (0..20).map(move |number| (person, number)));
    let sends = sends.map(|(person, number)| {
        world.say(person, &room_id, "hello", Box::leak(number.to_string().into_boxed_str()))
    });
    let sent: HashSet<_> =
        futures_util::future::join_all(sends).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(sent.len(), 160);
    let page = world.rooms.messages(&alice, &room_id, None, None, Direction::Backward, 160).await.unwrap();
    let read: HashSet<_> = page.events.iter().map(|event| event.pdu.owned_event_id().clone()).collect();
    assert_eq!(read, sent);
    // Each event follows the one before it: the room never forked.
    let chained = page
        .events
        .windows(2)
        .all(|pair| pair[0].pdu.prev_events() == [pair[1].pdu.owned_event_id().clone()]);
    assert!(chained);
}

#[tokio::test]
async fn people_redact_their_own_and_moderators_redact_all() {
    let world = world().await;
    let (alice, bob, carol) =
        (world.person("alice").await, world.person("bob").await, world.person("carol").await);
    let room_id =
        world.room(&alice, CreateRoom { preset: Some(Preset::PublicChat), ..CreateRoom::default() }).await;
    world.join(&bob, &room_id).await.unwrap();
    world.join(&carol, &room_id).await.unwrap();
    let (one, two) = (
        world.say(&bob, &room_id, "one", "1").await.unwrap(),
        world.say(&bob, &room_id, "two", "2").await.unwrap(),
    );
    let refused = world.rooms.redact(&carol, &room_id, &one, None, "r").await;
    assert!(matches!(refused, Err(RoomError::Forbidden(_))), "{refused:?}");
    world.rooms.redact(&bob, &room_id, &one, None, "r").await.unwrap();
    world.rooms.redact(&alice, &room_id, &two, Some("rude"), "r").await.unwrap();
    for event_id in [one, two] {
        let event = world.rooms.event(&room_id, &event_id).await.unwrap();
        assert_eq!(event.pdu.content_json(), "{}");
        assert!(event.redacted_by.is_some());
    }
}

#[tokio::test]
async fn what_is_not_here_is_redacted_by_those_with_the_power_and_by_nobody_else() {
    let world = world().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let room_id =
        world.room(&alice, CreateRoom { preset: Some(Preset::PublicChat), ..CreateRoom::default() }).await;
    world.join(&bob, &room_id).await.unwrap();
    let elsewhere = ruma::event_id!("$elsewhere");
    let refused = world.rooms.redact(&bob, &room_id, elsewhere, None, "r").await;
    assert!(matches!(refused, Err(RoomError::NotFound(_))), "{refused:?}");
    let redaction = world.rooms.redact(&alice, &room_id, elsewhere, None, "r").await.unwrap();
    let stored = world.rooms.event(&room_id, &redaction).await.unwrap();
    assert_eq!(stored.pdu.owned_redacts().map(|id| &**id), Some(elsewhere));
    assert!(stored.flags.contains(EventFlags::IDLE), "others are told, but nobody here is shown it");
}

#[tokio::test]
async fn same_state_again_is_the_same_event() {
    let world = world().await;
    let alice = world.person("alice").await;
    let room_id = world.room(&alice, CreateRoom::default()).await;
    let set = async |topic: &str| {
        let content = json(&json!({ "topic": topic }));
        world.rooms.set_state(&alice, &room_id, "m.room.topic", "", &content).await.unwrap()
    };
    let first = set("a").await;
    assert_eq!(set("a").await, first);
    assert_ne!(set("b").await, first);
}

#[tokio::test]
async fn second_reaction_with_the_same_key_is_refused_but_its_retry_is_not() {
    let world = world().await;
    let alice = world.person("alice").await;
    let room_id = world.room(&alice, CreateRoom::default()).await;
    let target = world.say(&alice, &room_id, "well?", "1").await.unwrap();
    let react = async |transaction_id: &str| {
        let relation = json!({ "rel_type": "m.annotation", "event_id": target, "key": "👍" });
        let content = json(&json!({ "m.relates_to": relation }));
        let kind = "m.reaction".to_owned();
        world
            .rooms
            .send(&alice, &room_id, SendEvent { kind, content, transaction_id: transaction_id.to_owned() })
            .await
    };
    let first = react("2").await.unwrap();
    assert_eq!(react("2").await.unwrap(), first);
    assert!(matches!(react("3").await, Err(RoomError::DuplicateAnnotation)));
}

#[tokio::test]
async fn message_that_is_no_canonical_json_is_refused() {
    let world = world().await;
    let alice = world.person("alice").await;
    let room_id = world.room(&alice, CreateRoom::default()).await;
    for content in [json!({ "n": 1.5 }), json!({ "n": 9_007_199_254_740_992_i64 })] {
        let event =
            SendEvent { kind: "m.room.message".into(), content: json(&content), transaction_id: "1".into() };
        assert!(matches!(world.rooms.send(&alice, &room_id, event).await, Err(RoomError::Format(_))));
    }
    let event = SendEvent {
        kind: "m".into(),
        content: json(&json!({ "b": "x".repeat(66_000) })),
        transaction_id: "2".into(),
    };
    let refused = world.rooms.send(&alice, &room_id, event).await;
    assert!(matches!(refused, Err(RoomError::Format(error)) if error.is_too_large()));
}

#[tokio::test]
async fn pages_of_history_meet_without_gap_or_repeat() {
    let world = world().await;
    let alice = world.person("alice").await;
    let room_id = world.room(&alice, CreateRoom::default()).await;
    for number in 0..25 {
        world.say(&alice, &room_id, "hello", &number.to_string()).await.unwrap();
    }
    let all =
        world.rooms.messages(&alice, &room_id, None, None, Direction::Forward, 500).await.unwrap().events;
    for direction in [Direction::Forward, Direction::Backward] {
        let (mut from, mut read) = (None, Vec::new());
        loop {
            let page = world.rooms.messages(&alice, &room_id, from, None, direction, 7).await.unwrap();
            read.extend(page.events.iter().map(|event| event.sn));
            if page.end.is_none() {
                break;
            }
            from = page.end;
        }
        if direction == Direction::Backward {
            read.reverse();
        }
        assert_eq!(read, all.iter().map(|event| event.sn).collect::<Vec<_>>(), "{direction:?}");
    }
}
