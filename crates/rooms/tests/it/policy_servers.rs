//! Rooms whose events a policy server looks at.

#![expect(clippy::unwrap_used, reason = "tests")]

use parvis_events::RoomVersion;
use parvis_policy::Preset;
use parvis_rooms::{Actor, CreateRoom, RoomError, SendEvent};
use parvis_storage::{EventFlags, StoredEvent};
use ruma::{EventId, OwnedEventId, OwnedRoomId, RoomId, server_name};
use serde_json::{Value, json};

use crate::{
    across::{Across, Server, across, policy_key},
    world::json as raw,
};

/// Alice on `a.test` and Bob on `b.test` in a room of Alice's; somebody of `p.test` is in it too.
async fn watched(version: RoomVersion) -> (Across, Actor, Actor, OwnedRoomId) {
    let world = across(&["a.test", "b.test", "p.test"]).await;
    let (a, b, p) = (world.server("a.test"), world.server("b.test"), world.server("p.test"));
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    let watcher = p.person("watcher").await;
    let room_id = a.rooms.create(&alice, public(version)).await.unwrap();
    b.join(&bob, &room_id, &["a.test"]).await.unwrap();
    p.join(&watcher, &room_id, &["a.test"]).await.unwrap();
    (world, alice, bob, room_id)
}

fn public(version: RoomVersion) -> CreateRoom {
    let preset = Some(Preset::PublicChat);
    CreateRoom { preset, room_version: Some(version.as_str().to_owned()), ..CreateRoom::default() }
}

fn policy() -> Value {
    json!({ "via": "p.test", "public_keys": { "ed25519": policy_key().public_key_base64() } })
}

async fn set_policy(server: &Server, actor: &Actor, room_id: &RoomId, content: &Value) {
    server.rooms.set_state(actor, room_id, "m.room.policy", "", &raw(content)).await.unwrap();
}

async fn say(
    server: &Server,
    actor: &Actor,
    room_id: &RoomId,
    text: &str,
) -> Result<OwnedEventId, RoomError> {
    let content = raw(&json!({ "msgtype": "m.text", "body": text }));
    let event = SendEvent { kind: "m.room.message".to_owned(), content, transaction_id: text.to_owned() };
    server.rooms.send(actor, room_id, event).await
}

/// How often the policy server was asked.
fn asked(world: &Across) -> usize {
    world.asked("p.test").iter().filter(|asked| asked.ends_with("/policy/v1/sign")).count()
}

fn is_signed(event: &StoredEvent) -> bool {
    event.pdu.json().contains("\"p.test\":{\"ed25519:policy_server\":")
}

/// Carries an event to another server and waits until it has been judged there.
async fn carry(from: &Server, to: &Server, event_id: &EventId) -> std::sync::Arc<StoredEvent> {
    let event = from.store.event_by_id(event_id).await.unwrap().unwrap();
    let raw = raw(&serde_json::from_str(event.pdu.json()).unwrap());
    let outcomes = to.rooms.receive(server_name!("b.test"), vec![raw]).await.unwrap();
    assert_eq!(outcomes[0].1, Ok(()));
    for _ in 0..500 {
        // It may be seen before, as one that waits to be judged.
        if let Some(event) = to.store.event_by_id(event_id).await.unwrap()
            && event.has_state()
        {
            return event;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{event_id} does not come in");
}

#[tokio::test]
async fn events_of_ours_are_signed_before_they_are_sent_or_are_not_sent() {
    for version in [RoomVersion::V10, RoomVersion::V12] {
        let (world, alice, _, room_id) = watched(version).await;
        let a = world.server("a.test");
        set_policy(a, &alice, &room_id, &policy()).await;
        assert_eq!(asked(&world), 0, "who is to be the policy server is not for it to say");
        let said = say(a, &alice, &room_id, "hello").await.unwrap();
        assert!(is_signed(&a.rooms.event(&room_id, &said).await.unwrap()));
        let name = raw(&json!({ "name": "spam for all" }));
        for refused in [
            say(a, &alice, &room_id, "spam").await,
            a.rooms.set_state(&alice, &room_id, "m.room.name", "", &name).await,
        ] {
            assert!(
                matches!(&refused, Err(RoomError::Refused { errcode, .. }) if errcode == "M_FORBIDDEN"),
                "{refused:?}"
            );
        }
        assert_eq!(asked(&world), 3);
        assert_eq!(a.content(&room_id, "m.room.name", "").await, None);
        a.rooms.redact(&alice, &room_id, &said, None, "r").await.unwrap();
        assert_eq!(asked(&world), 4, "redactions are looked at too");
    }
}

#[tokio::test]
async fn room_gets_rid_of_a_policy_server_that_does_not_answer() {
    let (world, alice, _, room_id) = watched(RoomVersion::V12).await;
    let a = world.server("a.test");
    set_policy(a, &alice, &room_id, &policy()).await;
    world.set_down("p.test", true);
    let refused = say(a, &alice, &room_id, "hello").await;
    assert!(matches!(refused, Err(RoomError::Unreachable(_))), "{refused:?}");
    set_policy(a, &alice, &room_id, &json!({})).await;
    say(a, &alice, &room_id, "hello again").await.unwrap();
}

#[tokio::test]
async fn who_is_not_in_the_room_or_has_no_key_is_no_policy_server() {
    let (world, alice, _, room_id) = watched(RoomVersion::V12).await;
    let a = world.server("a.test");
    let key = policy_key().public_key_base64();
    for content in [
        json!({ "via": "p.test" }),
        json!({ "via": "p.test", "public_keys": {} }),
        json!({ "via": "p.test", "public_keys": { "curve25519": key } }),
        json!({ "via": 1, "public_keys": { "ed25519": key } }),
        json!({ "via": "a.test", "public_keys": { "ed25519": key } }),
        json!({ "via": "elsewhere.test", "public_keys": { "ed25519": key } }),
    ] {
        set_policy(a, &alice, &room_id, &content).await;
        say(a, &alice, &room_id, &content.to_string()).await.unwrap();
    }
    assert_eq!(asked(&world), 0);
    let other = json!({ "via": "p.test", "public_keys": { "ed25519": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" } });
    set_policy(a, &alice, &room_id, &other).await;
    let refused = say(a, &alice, &room_id, "hello").await;
    assert!(matches!(refused, Err(RoomError::Unreachable(_))), "signed with another key: {refused:?}");
}

#[tokio::test]
async fn events_of_others_are_shown_once_the_policy_server_has_signed_them() {
    let (world, alice, bob, room_id) = watched(RoomVersion::V12).await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    // Bob's server has not heard that there is a policy server.
    set_policy(a, &alice, &room_id, &policy()).await;
    let word = say(b, &bob, &room_id, "hello").await.unwrap();
    let spam = say(b, &bob, &room_id, "spam").await.unwrap();
    let after = say(b, &bob, &room_id, "sorry").await.unwrap();
    assert_eq!(asked(&world), 0);
    let (word, spam) = (carry(b, a, &word).await, carry(b, a, &spam).await);
    assert!(word.is_shown() && is_signed(&word), "what is signed is passed on so");
    assert!(!spam.is_shown() && spam.flags.contains(EventFlags::SOFT_FAILED));
    assert!(carry(b, a, &after).await.is_shown(), "what follows it is judged by itself");
    assert_eq!(asked(&world), 3);
}

#[tokio::test]
async fn newcomers_and_invitations_are_looked_at_by_the_server_that_lets_them_in() {
    let (world, alice, _, room_id) = watched(RoomVersion::V10).await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    set_policy(a, &alice, &room_id, &policy()).await;
    let (carol, spammer) = (b.person("carol").await, b.person("spam").await);
    let room = a.rooms.find(&room_id).await.unwrap();
    let invite = async |user: &Actor| {
        a.rooms.act_on_member(&alice, room, &user.user_id, parvis_rooms::Action::Invite, None).await
    };
    invite(&carol).await.unwrap();
    assert_eq!(
        b.membership(&carol.user_id, &room_id).await,
        None,
        "it comes as an event to who is in the room"
    );
    assert_eq!(a.membership(&carol.user_id, &room_id).await, Some("invite"));
    assert!(invite(&spammer).await.is_err());
    let other = world.server("p.test").person("spam").await;
    let room_id = a.rooms.create(&alice, public(RoomVersion::V10)).await.unwrap();
    world.server("p.test").join(&other, &room_id, &["a.test"]).await.unwrap();
    set_policy(a, &alice, &room_id, &policy()).await;
    let refused = b.join(&spammer, &room_id, &["a.test"]).await;
    assert!(
        matches!(&refused, Err(RoomError::Refused { errcode, .. }) if errcode == "M_FORBIDDEN"),
        "{refused:?}"
    );
    b.join(&carol, &room_id, &["a.test"]).await.unwrap();
}
