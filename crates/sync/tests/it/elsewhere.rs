//! What other servers say of their users.

use std::time::Duration;

use parvis_sync::{HeardPresence, HeardReceipt, Passing, PresenceMode, ReadThread, SyncEngine, SyncSettings};
use ruma::presence::PresenceState;
use serde_json::json;

use crate::{
    waiting::{wait, woken},
    world::{Person, Room, World, joined, on_each_engine},
};

async fn room_of_two(world: &World) -> (Person, Person, Room) {
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let mut room = Room::create(world, "r", &alice).await;
    room.member(&bob, &bob, "join").await;
    (alice, bob, room)
}

#[tokio::test]
async fn typing_elsewhere_is_told_and_believed_for_a_minute() {
    on_each_engine(async |world: World| {
        let (alice, bob, room) = room_of_two(&world).await;
        let since = world.sync(&alice, None, json!({})).await.next;
        let waiting = wait(&world, &alice, since);
        world.engine.hear_typing(&room.head.room_id, &bob.id, true).await.unwrap();
        let answer = woken(waiting).await;
        assert_eq!(joined(&answer, &room).typing.as_deref().unwrap(), std::slice::from_ref(&bob.id));
        // Before the wait begins, so that it does not end by itself.
        world.clock.advance(Duration::from_secs(61));
        let waiting = wait(&world, &alice, answer.next);
        assert_eq!(joined(&woken(waiting).await, &room).typing.as_deref().unwrap(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn receipt_waits_for_its_event() {
    // Worlds are alike: the same event has the same id in both.
    let twin = World::sqlite().await;
    let (_, bob, mut room) = room_of_two(&twin).await;
    let event_id = room.message(&bob, "hello").await.pdu.event_id().to_owned();
    on_each_engine(async |world: World| {
        let (alice, bob, mut room) = room_of_two(&world).await;
        let heard = HeardReceipt {
            room_id: room.head.room_id.clone(),
            user_id: bob.id.clone(),
            event_id: event_id.clone(),
            thread: ReadThread::Unthreaded,
            ts: 7,
        };
        world.engine.hear_receipt(heard).await.unwrap();
        let answer = world.sync(&alice, None, json!({})).await;
        assert_eq!(joined(&answer, &room).receipts.len(), 0);
        assert_eq!(room.message(&bob, "hello").await.pdu.event_id(), event_id);
        for _ in 0..200 {
            let answer = world.sync(&alice, Some(answer.next), json!({})).await;
            let room = answer.joined.iter().find(|joined| joined.room_id == room.head.room_id);
            if let Some(receipt) = room.and_then(|room| room.receipts.first()) {
                assert_eq!((&receipt.user_id, &receipt.event_id, receipt.ts), (&bob.id, &event_id, 7));
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the receipt is not told");
    })
    .await;
}

#[tokio::test]
async fn presence_elsewhere_is_told_where_it_is_on_and_not_told_back() {
    on_each_engine(async |mut world: World| {
        world.engine.close();
        let settings = SyncSettings { presence: PresenceMode::On };
        world.engine =
            SyncEngine::start(world.store.clone(), world.view.clone(), world.ambient.clone(), settings);
        let (alice, bob, _room) = room_of_two(&world).await;
        let mut passing = world.engine.listen();
        let heard = HeardPresence {
            user_id: bob.id.clone(),
            state: PresenceState::Online,
            status_message: Some("here".to_owned()),
            last_active_ago_millis: 5,
            currently_active: true,
        };
        world.engine.hear_presence(heard).await.unwrap();
        world.engine.set_presence(alice.reader(), &PresenceState::Unavailable, None);
        let answer = world.sync(&alice, None, json!({})).await;
        let told = &answer.presence[0];
        assert_eq!((&told.user_id, &told.state), (&bob.id, &PresenceState::Online));
        assert_eq!(told.last_active_ago_millis, Some(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.clock.advance(Duration::from_secs(1));
        let Passing::Presence { update, .. } = passing.recv().await.unwrap() else { panic!("not presence") };
        assert_eq!((update.user_id, update.state), (alice.id.clone(), PresenceState::Unavailable));
        assert!(passing.try_recv().is_err(), "others tell of theirs");
    })
    .await;
}

#[tokio::test]
async fn those_who_tell_others_hear_of_typing_until_it_ends() {
    on_each_engine(async |world: World| {
        let (alice, _, room) = room_of_two(&world).await;
        let mut passing = world.engine.listen();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for typing_for in [seconds(30), seconds(30)] {
            world.engine.set_typing(alice.reader(), &room.head.room_id, typing_for).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.clock.advance(Duration::from_secs(31));
        let mut told = Vec::new();
        for _ in 0..3 {
            let Passing::Typing { user, typing, .. } = passing.recv().await.unwrap() else {
                panic!("not typing")
            };
            assert_eq!(user, alice.user);
            told.push(typing);
        }
        assert_eq!(told, [true, true, false]);
    })
    .await;
}
