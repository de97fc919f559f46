//! Typing, receipts, presence, and what is unread.

use std::{sync::Arc, time::Duration};

use parvis_storage::{Store, StoredEvent};
use parvis_sync::{
    JoinedRoom, PresenceError, ReadMark, ReadThread, ReceiptError, SyncAnswer, SyncEngine, SyncSettings,
    Token, TypingError, UnreadCounts, View,
};
use ruma::presence::PresenceState;
use serde_json::json;

use crate::{
    waiting::{wait, woken},
    world::{Person, Room, World, bodies, joined, on_each_engine, request},
};

/// A room with two people in it.
async fn room_of_two(world: &World) -> (Person, Person, Room) {
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let mut room = Room::create(world, "r", &alice).await;
    room.member(&bob, &bob, "join").await;
    (alice, bob, room)
}

fn typing(room: &JoinedRoom) -> Option<Vec<&str>> {
    room.typing.as_ref().map(|users| users.iter().map(|user| user.localpart()).collect())
}

impl World {
    async fn type_for(&self, person: &Person, room: &Room, seconds: u64) -> Result<(), TypingError> {
        let typing_for = Some(Duration::from_secs(seconds));
        self.engine.set_typing(person.reader(), &room.head.room_id, typing_for).await
    }

    async fn read(
        &self,
        person: &Person,
        room: &Room,
        mark: ReadMark,
        event: &Arc<StoredEvent>,
    ) -> Result<(), ReceiptError> {
        let marks = [(mark, event.pdu.event_id().to_owned())];
        self.engine.mark_read(person.reader(), &room.head.room_id, &marks).await
    }
}

const UNTHREADED: ReadMark = ReadMark::Public(ReadThread::Unthreaded);

#[tokio::test]
async fn typing_is_told_and_ends_when_its_time_is_over() {
    on_each_engine(async |world: World| {
        let (alice, bob, room) = room_of_two(&world).await;
        let since = world.sync(&alice, None, json!({})).await.next;
        let waiting = wait(&world, &alice, since);
        world.type_for(&bob, &room, 30).await.unwrap();
        let answer = woken(waiting).await;
        assert_eq!(typing(joined(&answer, &room)), Some(vec!["bob"]));
        assert!(joined(&answer, &room).timeline.events.is_empty());

        let waiting = wait(&world, &alice, answer.next);
        world.type_for(&bob, &room, 20).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.clock.advance(Duration::from_secs(19));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished(), "going on typing is no news");
        world.clock.advance(Duration::from_secs(1));
        let answer = woken(waiting).await;
        assert_eq!(typing(joined(&answer, &room)), Some(vec![]));
        let first = world.sync(&alice, None, json!({})).await;
        assert_eq!(typing(joined(&first, &room)), None, "a new reader is not told that nobody types");
        world.type_for(&bob, &room, 100_000).await.unwrap();
        let first = world.sync(&alice, None, json!({})).await;
        assert_eq!(typing(joined(&first, &room)), Some(vec!["bob"]));
        tokio::time::sleep(Duration::from_millis(20)).await;
        let waiting = wait(&world, &alice, first.next);
        world.clock.advance(Duration::from_secs(29));
        world.clock.advance(Duration::from_secs(120));
        assert_eq!(typing(joined(&woken(waiting).await, &room)), Some(vec![]), "nobody types for ever");
    })
    .await;
}

#[tokio::test]
async fn typing_goes_on_when_the_user_sends_and_stops_when_they_leave() {
    on_each_engine(async |world: World| {
        let (alice, bob, mut room) = room_of_two(&world).await;
        world.type_for(&bob, &room, 30).await.unwrap();
        let since = world.sync(&alice, None, json!({})).await.next;
        room.message(&bob, "said").await;
        let answer = woken(wait(&world, &alice, since)).await;
        assert_eq!(typing(joined(&answer, &room)), None, "that is for the client to say");
        let since = world.sync(&alice, None, json!({})).await.next;
        room.member(&alice, &bob, "leave").await;
        let mut answer = woken(wait(&world, &alice, since)).await;
        if typing(joined(&answer, &room)).is_none() {
            answer = woken(wait(&world, &alice, answer.next)).await;
        }
        assert_eq!(typing(joined(&answer, &room)), Some(vec![]));
        let outside = world.type_for(&bob, &room, 30).await;
        assert!(matches!(outside, Err(TypingError::NotJoined)));
    })
    .await;
}

#[tokio::test]
async fn token_from_before_a_restart_is_told_afresh_who_types() {
    on_each_engine(async |world: World| {
        let (alice, bob, mut room) = room_of_two(&world).await;
        world.type_for(&bob, &room, 30).await.unwrap();
        let since = world.sync(&alice, None, json!({})).await.next;
        assert!(since.ephemeral.is_some());
        let restarted = SyncEngine::start(
            world.store.clone(),
            world.view.clone(),
            world.ambient.clone(),
            SyncSettings::default(),
        );
        let answer = restarted.sync(alice.reader(), &request(Some(since), json!({}))).await.unwrap();
        assert!(answer.is_empty(), "a restart alone is no news");
        room.message(&alice, "new").await;
        let answer = restarted.sync(alice.reader(), &request(Some(since), json!({}))).await.unwrap();
        assert_eq!(typing(joined(&answer, &room)), Some(vec![]), "who typed before may have stopped");
        let plain = Token::from(since.position);
        assert!(!world.sync(&alice, Some(plain), json!({})).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn public_receipt_is_told_to_all_and_private_one_to_its_owner() {
    on_each_engine(async |world: World| {
        let (alice, bob, mut room) = room_of_two(&world).await;
        let event = room.message(&alice, "hello").await;
        let (for_alice, for_bob) =
            (world.sync(&alice, None, json!({})).await.next, world.sync(&bob, None, json!({})).await.next);
        let (alice_waits, bob_waits) = (wait(&world, &alice, for_alice), wait(&world, &bob, for_bob));
        world.read(&bob, &room, ReadMark::Private(ReadThread::Unthreaded), &event).await.unwrap();
        let private = woken(bob_waits).await;
        assert_eq!(joined(&private, &room).receipts[0].receipt_type, "m.read.private");
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!alice_waits.is_finished());
        world.read(&bob, &room, UNTHREADED, &event).await.unwrap();
        let public = woken(alice_waits).await;
        let receipts = &joined(&public, &room).receipts;
        assert_eq!((receipts.len(), receipts[0].user_id.localpart()), (1, "bob"));
        assert_eq!(receipts[0].event_id, event.pdu.event_id());
        let whole = world.sync(&alice, None, json!({})).await;
        assert_eq!(joined(&whole, &room).receipts.len(), 1, "a first sync does not give private ones away");
        assert_eq!(joined(&world.sync(&bob, None, json!({})).await, &room).receipts.len(), 2);
        let without = json!({ "room": { "ephemeral": { "not_types": ["m.receipt"] } } });
        assert!(joined(&world.sync(&bob, None, without).await, &room).receipts.is_empty());
    })
    .await;
}

#[tokio::test]
async fn receipt_never_moves_back() {
    on_each_engine(async |world: World| {
        let (alice, bob, mut room) = room_of_two(&world).await;
        let (first, second) = (room.message(&alice, "1").await, room.message(&alice, "2").await);
        world.read(&bob, &room, UNTHREADED, &second).await.unwrap();
        world.read(&bob, &room, ReadMark::Fully, &second).await.unwrap();
        let head = world.store.head();
        world.read(&bob, &room, UNTHREADED, &first).await.unwrap();
        world.read(&bob, &room, ReadMark::Fully, &first).await.unwrap();
        assert_eq!(world.store.head(), head, "nothing was written");
        let answer = world.sync(&bob, None, json!({})).await;
        let told = joined(&answer, &room);
        assert_eq!(told.receipts[0].event_id, second.pdu.event_id());
        assert_eq!(told.account_data[0].kind, "m.fully_read");
        assert!(told.account_data[0].content.get().contains(second.pdu.event_id().as_str()));
    })
    .await;
}

#[tokio::test]
async fn receipt_is_refused_where_it_makes_no_sense() {
    on_each_engine(async |world: World| {
        let (alice, bob, mut room) = room_of_two(&world).await;
        let mut other = Room::create(&world, "other", &alice).await;
        let elsewhere = other.message(&alice, "elsewhere").await;
        let root = room.message(&alice, "root").await;
        let reply = room.relate(&alice, &root, "m.thread", "reply").await;
        let thread = || ReadMark::Public(ReadThread::Thread(root.pdu.event_id().to_owned()));
        let main = || ReadMark::Private(ReadThread::Main);
        assert!(matches!(
            world.read(&bob, &room, UNTHREADED, &elsewhere).await,
            Err(ReceiptError::UnknownEvent)
        ));
        assert!(matches!(
            world.read(&bob, &other, UNTHREADED, &elsewhere).await,
            Err(ReceiptError::NotJoined)
        ));
        assert!(matches!(world.read(&bob, &room, main(), &reply).await, Err(ReceiptError::OtherThread)));
        let message = room.message(&alice, "main").await;
        assert!(matches!(world.read(&bob, &room, thread(), &message).await, Err(ReceiptError::OtherThread)));
        for (mark, event) in [(thread(), &reply), (thread(), &root), (main(), &root), (UNTHREADED, &reply)] {
            world.read(&bob, &room, mark, event).await.unwrap();
        }
    })
    .await;
}

fn counts(notifications: u64, highlights: u64) -> UnreadCounts {
    UnreadCounts { notifications, highlights }
}

#[tokio::test]
async fn count_arrives_with_the_event_and_goes_with_the_receipt() {
    on_each_engine(async |world: World| {
        let (alice, bob, mut room) = room_of_two(&world).await;
        let since = world.sync(&bob, None, json!({})).await.next;
        room.message(&alice, "one").await;
        let answer = world.sync(&bob, Some(since), json!({})).await;
        assert_eq!(joined(&answer, &room).unread, counts(1, 0));
        let mention = json!({ "msgtype": "m.text", "body": "ping", "m.mentions": { "user_ids": [bob.id] } });
        let mention = room.send(&alice, "m.room.message", mention).await;
        room.send(&alice, "m.reaction", json!({ "m.relates_to": {} })).await;
        room.message(&alice, "three").await;
        let answer = world.sync(&bob, Some(answer.next), json!({})).await;
        assert_eq!(joined(&answer, &room).unread, counts(3, 1));
        let own = world.sync(&alice, None, json!({})).await;
        assert_eq!(joined(&own, &room).unread, counts(0, 0), "what one says is not unread");

        let store = Store::open(&world.settings).await.unwrap();
        let view = View::new(store.clone(), world.ambient.clone());
        let restarted = SyncEngine::start(store, view, world.ambient.clone(), SyncSettings::default());
        let after = restarted.sync(bob.reader(), &request(None, json!({}))).await.unwrap();
        assert_eq!(joined(&after, &room).unread, counts(3, 1), "the count survives a restart");

        let other_device = world.sync(&bob.on_device(7), None, json!({})).await.next;
        let waiting = wait(&world, &bob.on_device(7), other_device);
        world.read(&bob, &room, UNTHREADED, &mention).await.unwrap();
        assert_eq!(joined(&woken(waiting).await, &room).unread, counts(1, 0), "other devices are told");
        let answer = world.sync(&bob, Some(answer.next), json!({})).await;
        assert_eq!(joined(&answer, &room).unread, counts(1, 0));
        room.message(&bob, "answer").await;
        let answer = world.sync(&bob, Some(answer.next), json!({})).await;
        assert_eq!(joined(&answer, &room).unread, counts(0, 0), "who answers has read");
    })
    .await;
}

#[tokio::test]
async fn call_to_the_whole_room_counts_from_who_may_call() {
    on_each_engine(async |world: World| {
        let (alice, bob, mut room) = room_of_two(&world).await;
        let carol = world.person("carol").await;
        room.member(&carol, &carol, "join").await;
        let call = || json!({ "msgtype": "m.text", "body": "all", "m.mentions": { "room": true } });
        for (sender, highlights) in [(&bob, 0), (&alice, 1)] {
            room.send(sender, "m.room.message", call()).await;
            let answer = world.sync(&carol, None, json!({})).await;
            assert_eq!(joined(&answer, &room).unread.highlights, highlights, "{}", sender.id);
        }
    })
    .await;
}

#[tokio::test]
async fn private_receipt_ahead_of_the_public_one_counts() {
    on_each_engine(async |world: World| {
        let (alice, bob, mut room) = room_of_two(&world).await;
        let first = room.message(&alice, "1").await;
        let second = room.message(&alice, "2").await;
        room.message(&alice, "3").await;
        world.read(&bob, &room, UNTHREADED, &first).await.unwrap();
        world.read(&bob, &room, ReadMark::Private(ReadThread::Unthreaded), &second).await.unwrap();
        assert_eq!(joined(&world.sync(&bob, None, json!({})).await, &room).unread, counts(1, 0));
    })
    .await;
}

#[tokio::test]
async fn threads_are_counted_apart_for_who_asks() {
    on_each_engine(async |world: World| {
        let (alice, bob, mut room) = room_of_two(&world).await;
        let root = room.message(&alice, "root").await;
        let reply = room.relate(&alice, &root, "m.thread", "reply").await;
        let highlight = json!({
            "msgtype": "m.text", "body": "ping", "m.mentions": { "user_ids": [bob.id] },
            "m.relates_to": { "rel_type": "m.thread", "event_id": root.pdu.event_id() },
        });
        room.send(&alice, "m.room.message", highlight).await;
        room.message(&alice, "main").await;
        // A reference to a reply is in the reply's thread.
        let reference = room.relate(&alice, &reply, "m.reference", "about the reply").await;
        let apart = json!({ "room": { "timeline": { "unread_thread_notifications": true } } });
        let seen = async || {
            let answer = world.sync(&bob, None, apart.clone()).await;
            let told = joined(&answer, &room);
            let thread = told.unread_threads.as_ref().unwrap().get(root.pdu.event_id()).copied();
            (told.unread, thread, joined(&world.sync(&bob, None, json!({})).await, &room).unread)
        };
        assert_eq!(seen().await, (counts(2, 0), Some(counts(3, 1)), counts(5, 1)));
        world.read(&bob, &room, ReadMark::Public(ReadThread::Main), &root).await.unwrap();
        assert_eq!(seen().await, (counts(1, 0), Some(counts(3, 1)), counts(4, 1)));
        let thread = || ReadThread::Thread(root.pdu.event_id().to_owned());
        world.read(&bob, &room, ReadMark::Public(thread()), &reply).await.unwrap();
        assert_eq!(seen().await, (counts(1, 0), Some(counts(2, 1)), counts(3, 1)));
        world.read(&bob, &room, ReadMark::Private(thread()), &reference).await.unwrap();
        assert_eq!(seen().await, (counts(1, 0), None, counts(1, 0)));
    })
    .await;
}

#[tokio::test]
async fn speaking_in_a_thread_reads_that_thread_alone() {
    on_each_engine(async |world: World| {
        let (alice, bob, mut room) = room_of_two(&world).await;
        let root = room.message(&alice, "root").await;
        room.relate(&alice, &root, "m.thread", "reply").await;
        room.relate(&bob, &root, "m.thread", "answer").await;
        let apart = json!({ "room": { "timeline": { "unread_thread_notifications": true } } });
        let answer = world.sync(&bob, None, apart).await;
        let told = joined(&answer, &room);
        assert_eq!((told.unread, told.unread_threads.as_ref().unwrap().len()), (counts(1, 0), 0));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_unread_from_before_one_came_or_from_whom_one_ignores() {
    on_each_engine(async |world: World| {
        let (alice, bob, mut room) = room_of_two(&world).await;
        let carol = world.person("carol").await;
        room.message(&alice, "before").await;
        room.member(&carol, &carol, "join").await;
        room.message(&alice, "after").await;
        room.message(&bob, "noise").await;
        let ignore = json!({ "ignored_users": { "@bob:parvis.test": {} } });
        world.put_account_data(&carol, None, "m.ignored_user_list", ignore).await;
        assert_eq!(joined(&world.sync(&carol, None, json!({})).await, &room).unread, counts(1, 0));
    })
    .await;
}

#[tokio::test]
async fn user_s_own_rules_decide_what_is_counted() {
    on_each_engine(async |world: World| {
        let (alice, bob, mut room) = room_of_two(&world).await;
        let since = world.sync(&bob, None, json!({})).await.next;
        let silence = json!({
            "rule_id": room.head.room_id, "default": false, "enabled": true, "actions": [],
        });
        world.put_account_data(&bob, None, "m.push_rules", json!({ "global": { "room": [silence] } })).await;
        room.message(&alice, "quiet").await;
        let answer = world.sync(&bob, Some(since), json!({})).await;
        assert_eq!(joined(&answer, &room).unread, counts(0, 0));
        world.put_account_data(&bob, None, "m.push_rules", json!({ "global": {} })).await;
        room.message(&alice, "loud").await;
        let answer = world.sync(&bob, Some(answer.next), json!({})).await;
        assert_eq!(joined(&answer, &room).unread, counts(1, 0));
    })
    .await;
}

fn present(answer: &SyncAnswer) -> Vec<(&str, &str)> {
    answer.presence.iter().map(|update| (update.user_id.localpart(), update.state.as_str())).collect()
}

#[tokio::test]
async fn presence_is_told_to_those_who_share_a_room() {
    on_each_engine(async |world: World| {
        let (alice, bob, mut room) = room_of_two(&world).await;
        let carol = world.person("carol").await;
        let (for_alice, for_carol) =
            (world.sync(&alice, None, json!({})).await.next, world.sync(&carol, None, json!({})).await.next);
        let waiting = wait(&world, &alice, for_alice);
        tokio::time::sleep(Duration::from_millis(10)).await;
        world.engine.set_presence(bob.reader(), &PresenceState::Online, Some("here".to_owned()));
        tokio::time::sleep(Duration::from_millis(10)).await;
        world.clock.advance(Duration::from_millis(500));
        let answer = woken(waiting).await;
        assert_eq!(present(&answer), [("bob", "online")]);
        assert_eq!(answer.presence[0].status_message.as_deref(), Some("here"));
        assert!(answer.presence[0].currently_active);
        assert_eq!(answer.presence[0].last_active_ago_millis, Some(500));
        assert!(world.sync(&alice, Some(answer.next), json!({})).await.is_empty(), "told once");
        assert!(world.sync(&carol, Some(for_carol), json!({})).await.is_empty(), "strangers are not told");
        assert_eq!(present(&world.sync(&alice, None, json!({})).await), [("bob", "online")]);
        assert_eq!(present(&world.sync(&bob, None, json!({})).await), [], "oneself is not told of oneself");

        let of = async |reader: &Person, person: &Person| {
            world.engine.presence_of(reader.reader(), &person.id).await
        };
        assert_eq!(of(&alice, &bob).await.unwrap().state, PresenceState::Online);
        assert_eq!(of(&bob, &alice).await.unwrap().state, PresenceState::Offline);
        assert!(matches!(of(&carol, &bob).await, Err(PresenceError::Stranger)));

        room.member(&carol, &carol, "join").await;
        let answer = world.sync(&carol, Some(for_carol), json!({})).await;
        assert_eq!(present(&answer), [("bob", "online")], "who comes in is told who is there");
        world.engine.set_presence(carol.reader(), &PresenceState::Unavailable, None);
        let since = world.sync(&alice, None, json!({})).await.next;
        room.member(&carol, &carol, "leave").await;
        room.member(&carol, &carol, "join").await;
        let answer = world.sync(&alice, Some(since), json!({})).await;
        assert_eq!(present(&answer), [("carol", "unavailable")], "and who is in is told of who comes");
    })
    .await;
}

#[tokio::test]
async fn waiting_in_a_sync_keeps_a_user_online() {
    on_each_engine(async |world: World| {
        let (alice, bob, _room) = room_of_two(&world).await;
        let mut request = request(Some(world.sync(&bob, None, json!({})).await.next), json!({}));
        request.timeout = Duration::from_secs(100);
        request.set_presence = PresenceState::Online;
        let waiting = tokio::spawn({
            let (engine, reader) = (world.engine.clone(), bob.reader());
            async move { engine.sync(reader, &request).await.unwrap() }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        world.clock.advance(Duration::from_secs(59));
        tokio::time::sleep(Duration::from_millis(10)).await;
        let state = async || world.engine.presence_of(alice.reader(), &bob.id).await.unwrap().state;
        assert_eq!(state().await, PresenceState::Online);
        waiting.abort();
        let _ = waiting.await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        world.clock.advance(Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(state().await, PresenceState::Offline, "a client that went away is not there any more");
    })
    .await;
}

/// The heroes of the only room of an answer, and how many are in it and invited.
fn summary(answer: &SyncAnswer) -> Option<(Option<String>, u64, u64)> {
    let summary = answer.joined.first()?.summary.as_ref()?;
    let heroes = summary.heroes.as_ref();
    let heroes =
        heroes.map(|heroes| heroes.iter().map(|hero| hero.localpart()).collect::<Vec<_>>().join(" "));
    Some((heroes, summary.joined, summary.invited))
}

#[tokio::test]
async fn summary_names_the_others_and_counts() {
    on_each_engine(async |world: World| {
        let alice = world.person("alice").await;
        let mut room = Room::create(&world, "r", &alice).await;
        let since = world.sync(&alice, None, json!({})).await;
        assert_eq!(summary(&since), Some((Some(String::new()), 1, 0)));
        let mut others = Vec::new();
        for name in ["b", "c", "d", "e", "f", "g"] {
            others.push(world.person(name).await);
        }
        room.member(&alice, &others[0], "invite").await;
        for other in &others[1..] {
            room.member(other, other, "join").await;
        }
        let answer = world.sync(&alice, Some(since.next), json!({})).await;
        assert_eq!(summary(&answer), Some((Some("b c d e f".to_owned()), 6, 1)));
        room.message(&alice, "hello").await;
        let next = world.sync(&alice, Some(answer.next), json!({})).await;
        assert_eq!(summary(&next), None, "nothing of it has changed");
        room.state(&alice, "m.room.name", "", json!({ "name": "hall" })).await;
        let next = world.sync(&alice, Some(next.next), json!({})).await;
        assert_eq!(summary(&next), Some((None, 6, 1)));
        room.state(&alice, "m.room.name", "", json!({ "name": "" })).await;
        for other in &others {
            room.member(&alice, other, "leave").await;
        }
        let next = world.sync(&alice, Some(next.next), json!({})).await;
        assert_eq!(summary(&next), Some((Some("b c d e f".to_owned()), 1, 0)), "those who were there");
    })
    .await;
}

#[tokio::test]
async fn heroes_come_with_their_memberships_where_members_are_loaded_lazily() {
    on_each_engine(async |world: World| {
        let (alice, bob, mut room) = room_of_two(&world).await;
        room.message(&alice, "one").await;
        let filter =
            json!({ "room": { "timeline": { "limit": 1 }, "state": { "lazy_load_members": true } } });
        let answer = world.sync(&alice, None, filter).await;
        let told = joined(&answer, &room);
        assert_eq!(bodies(&told.timeline.events), "one");
        let told = told.state.iter().any(|shown| shown.event.pdu.state_key() == Some(bob.id.as_str()));
        assert!(told, "bob is a hero");
    })
    .await;
}
