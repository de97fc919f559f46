//! How a sync waits for news.

use std::{sync::Arc, time::Duration};

use parvis_sync::{SyncAnswer, Token};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::world::{Person, Room, World, bodies, joined, on_each_engine, request};

/// A sync that waits.
pub(crate) fn wait(world: &World, person: &Person, since: Token) -> JoinHandle<SyncAnswer> {
    let mut request = request(Some(since), json!({}));
    request.timeout = Duration::from_secs(30);
    let (engine, reader) = (world.engine.clone(), person.reader());
    tokio::spawn(async move { engine.sync(reader, &request).await.unwrap() })
}

/// The answer of a sync that has been woken.
pub(crate) async fn woken(waiting: JoinHandle<SyncAnswer>) -> SyncAnswer {
    tokio::time::timeout(Duration::from_secs(5), waiting).await.expect("nobody woke it").unwrap()
}

#[tokio::test]
async fn waiting_sync_is_woken_by_what_concerns_its_user() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        let mut elsewhere = Room::create(&world, "elsewhere", &bob).await;
        let since = world.sync(&alice, None, json!({})).await.next;

        let waiting = wait(&world, &alice, since);
        elsewhere.message(&bob, "not for alice").await;
        world.put_account_data(&bob, None, "m.direct", json!({})).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished(), "what does not concern her does not end the wait");
        room.message(&alice, "hello").await;
        let answer = woken(waiting).await;
        assert_eq!(bodies(&joined(&answer, &room).timeline.events), "hello");

        let waiting = wait(&world, &alice, answer.next);
        world.put_account_data(&alice, None, "m.direct", json!({})).await;
        let answer = woken(waiting).await;
        assert_eq!(answer.account_data.len(), 1);

        let waiting = wait(&world, &alice, answer.next);
        elsewhere.member(&bob, &alice, "invite").await;
        let answer = woken(waiting).await;
        assert_eq!(answer.invited.len(), 1);

        let waiting = wait(&world, &alice, answer.next);
        elsewhere.member(&bob, &alice, "leave").await;
        assert_eq!(woken(waiting).await.left.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn wait_ends_with_an_ordinary_answer_when_its_time_is_over() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        Room::create(&world, "r", &alice).await;
        let mut elsewhere = Room::create(&world, "elsewhere", &bob).await;
        let since = world.sync(&alice, None, json!({})).await.next;
        let waiting = wait(&world, &alice, since);
        elsewhere.message(&bob, "moves the head").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.clock.advance(Duration::from_secs(29));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished());
        world.clock.advance(Duration::from_secs(1));
        let answer = woken(waiting).await;
        assert!(answer.is_empty());
        assert!(answer.next.position >= since.position);
    })
    .await;
}

#[tokio::test]
async fn closing_ends_all_waiting_at_once() {
    on_each_engine(async |world: World| {
        let alice = world.person("alice").await;
        Room::create(&world, "r", &alice).await;
        let since = world.sync(&alice, None, json!({})).await.next;
        let waiting: Vec<_> = (0..5).map(|_| wait(&world, &alice, since)).collect();
        tokio::time::sleep(Duration::from_millis(10)).await;
        world.engine.close();
        for waiting in waiting {
            assert!(woken(waiting).await.is_empty());
        }
        assert!(
            woken(wait(&world, &alice, since)).await.is_empty(),
            "those who come later do not wait either"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_up_is_lost_between_looking_and_waiting() {
    on_each_engine(async |world: World| {
        let alice = world.person("alice").await;
        let room = Room::create(&world, "r", &alice).await;
        let mut since = world.sync(&alice, None, json!({})).await.next;
        let room = Arc::new(tokio::sync::Mutex::new(room));
        let rounds = if world.is_sqlite() { 1_000 } else { 100 };
        for number in 0..rounds {
            let waiting = wait(&world, &alice, since);
            let sending = tokio::spawn({
                let (room, alice) = (Arc::clone(&room), alice.clone());
                async move {
                    // Now the cause comes first, now the wait.
                    for _ in 0..number % 7 {
                        tokio::task::yield_now().await;
                    }
                    room.lock().await.message(&alice, &number.to_string()).await
                }
            });
            let answer = woken(waiting).await;
            sending.await.unwrap();
            assert_eq!(bodies(&answer.joined[0].timeline.events), number.to_string());
            since = answer.next;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn syncer_sees_each_event_of_many_writers_once_and_in_order() {
    on_each_engine(async |world: World| {
        let alice = world.person("alice").await;
        let mut rooms = Vec::new();
        for number in 0..10 {
            rooms.push(Room::create(&world, &number.to_string(), &alice).await);
        }
        let mut since = world.sync(&alice, None, json!({})).await.next;
        let writers: Vec<_> = rooms
            .into_iter()
            .enumerate()
            .map(|(writer, mut room)| {
                let alice = alice.clone();
                tokio::spawn(async move {
                    for number in 0..20 {
                        room.message(&alice, &format!("{writer}-{number}")).await;
                    }
                })
            })
            .collect();
        let mut seen: Vec<Vec<String>> = vec![Vec::new(); 10];
        while seen.iter().map(Vec::len).sum::<usize>() < 200 {
            let answer = woken(wait(&world, &alice, since)).await;
            since = answer.next;
            for room in answer.joined {
                assert!(!room.timeline.limited);
                for body in bodies(&room.timeline.events).split(' ') {
                    let writer: usize = body.split('-').next().unwrap().parse().unwrap();
                    seen[writer].push(body.to_owned());
                }
            }
        }
        for (writer, seen) in seen.iter().enumerate() {
            let expected: Vec<_> = (0..20).map(|number| format!("{writer}-{number}")).collect();
            assert_eq!(*seen, expected);
        }
        for writer in writers {
            writer.await.unwrap();
        }
    })
    .await;
}
