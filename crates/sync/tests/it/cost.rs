//! What syncs cost: how many statements they read with. A reader who is nearly up to date costs none.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parvis_storage::{Store, StoredEvent};
use parvis_sync::{
    ExtensionsWanted, KeyWanted, ListWanted, ReadMark, ReadThread, RoomFilter, RoomWanted, Scope,
    SlidingRequest, StatePattern, StateWanted, SyncEngine, SyncSettings, View,
};
use ruma::presence::PresenceState;
use serde_json::{Value, json};

use crate::world::{Person, Room, World, bodies, joined, on_each_engine, request};

/// A room with many in it, all of whom have synced.
async fn busy_room(world: &World, people: usize) -> (Room, Vec<Person>) {
    let alice = world.person("alice").await;
    let mut room = Room::create(world, "r", &alice).await;
    room.visibility(&alice, "shared").await;
    let mut all = vec![alice];
    for number in 1..people {
        let person = world.person(&format!("p{number}")).await;
        room.member(&person, &person, "join").await;
        all.push(person);
    }
    (room, all)
}

fn lazy() -> Value {
    json!({ "room": { "timeline": { "limit": 20 }, "state": { "lazy_load_members": true } } })
}

async fn read(world: &World, room: &Room, person: &Person, event: &Arc<StoredEvent>) {
    let marks = [(ReadMark::Public(ReadThread::Unthreaded), event.pdu.event_id().to_owned())];
    world.engine.mark_read(person.reader(), &room.head.room_id, &marks).await.unwrap();
}

#[tokio::test]
async fn news_of_an_active_room_are_told_without_a_query() {
    on_each_engine(async |world: World| {
        let (mut room, people) = busy_room(&world, 30).await;
        let mut tokens = Vec::new();
        for person in &people {
            tokens.push(world.sync(person, None, lazy()).await.next);
        }
        for number in 0..5 {
            let event = match number {
                3 => room.state(&people[0], "m.room.name", "", json!({ "name": "3" })).await,
                _ => room.message(&people[number], &number.to_string()).await,
            };
            if number > 0 {
                read(&world, &room, &people[0], &event).await;
                world.put_account_data(&people[1], None, "m.direct", json!({ "n": number })).await;
            }
            let before = world.store.reads();
            for (person, token) in people.iter().zip(&mut tokens) {
                let answer = world.sync(person, Some(*token), lazy()).await;
                assert_eq!(bodies(&joined(&answer, &room).timeline.events), number.to_string());
                *token = answer.next;
            }
            let cost = world.store.reads() - before;
            // The first message finds out how everybody stands to it; a change of state, what the state was.
            let allowed = match number {
                0 => 80,
                3 => 4,
                _ => 0,
            };
            assert!(cost <= allowed, "message {number} cost {cost} queries for {} readers", people.len());
        }
    })
    .await;
}

#[tokio::test]
async fn rooms_that_did_not_move_cost_nothing() {
    on_each_engine(async |world: World| {
        let alice = world.person("alice").await;
        let mut rooms = Vec::new();
        for number in 0..40 {
            rooms.push(Room::create(&world, &number.to_string(), &alice).await);
        }
        let mut since = world.sync(&alice, None, json!({})).await.next;
        let before = world.store.reads();
        for _ in 0..20 {
            assert!(world.sync(&alice, Some(since), json!({})).await.is_empty());
        }
        assert_eq!(world.store.reads() - before, 0);
        rooms[7].message(&alice, "here").await;
        let before = world.store.reads();
        let answer = world.sync(&alice, Some(since), json!({})).await;
        assert_eq!(answer.joined.len(), 1);
        since = answer.next;
        assert!(world.store.reads() - before <= 2, "{}", world.store.reads() - before);

        // From the tables: a query for each kind of news, and one for the timeline of the room that moved.
        rooms[8].message(&alice, "there").await;
        let store = Store::open(&world.settings).await.unwrap();
        let view = View::new(store.clone(), world.ambient.clone());
        let engine = SyncEngine::start(store.clone(), view, world.ambient.clone(), SyncSettings::default());
        engine.sync(alice.reader(), &request(None, json!({}))).await.unwrap();
        let before = store.reads();
        let answer = engine.sync(alice.reader(), &request(Some(since), json!({}))).await.unwrap();
        assert_eq!(answer.joined.len(), 1);
        assert!(store.reads() - before <= 12, "{}", store.reads() - before);
    })
    .await;
}

#[tokio::test]
async fn first_sync_costs_a_few_queries_for_each_room() {
    on_each_engine(async |world: World| {
        let alice = world.person("alice").await;
        for number in 0..20 {
            let mut room = Room::create(&world, &number.to_string(), &alice).await;
            room.visibility(&alice, "shared").await;
            for message in 0..25 {
                room.message(&alice, &message.to_string()).await;
            }
        }
        let store = Store::open(&world.settings).await.unwrap();
        let view = View::new(store.clone(), world.ambient.clone());
        let engine = SyncEngine::start(store.clone(), view, world.ambient.clone(), SyncSettings::default());
        let before = store.reads();
        let answer = engine.sync(alice.reader(), &request(None, lazy())).await.unwrap();
        assert_eq!(answer.joined.len(), 20);
        let cost = store.reads() - before;
        assert!(cost <= 20 * 25, "{cost} queries for 20 cold rooms");
        let before = store.reads();
        engine.sync(alice.reader(), &request(None, lazy())).await.unwrap();
        let cost = store.reads() - before;
        assert!(cost <= 20 * 6, "{cost} queries for 20 warm rooms");
    })
    .await;
}

/// One window from the top over all rooms, as apps have it.
fn window(last: usize, pos: Option<String>) -> SlidingRequest {
    let is = |kind: &str, key: &str| StatePattern {
        kind: Some(kind.to_owned()),
        key: KeyWanted::Is(key.to_owned()),
    };
    let state = StateWanted {
        patterns: [is("m.room.name", ""), is("m.room.encryption", ""), is("m.room.create", "")].into(),
        lazy_members: true,
        ..StateWanted::default()
    };
    let room = Arc::new(RoomWanted { timeline_limit: 1, state: Arc::new(state) });
    let list = ListWanted { ranges: vec![(0, last)], filter: RoomFilter::default(), room };
    SlidingRequest {
        connection: "list".to_owned(),
        pos,
        timeout: Duration::ZERO,
        set_presence: PresenceState::Offline,
        lists: [("all".to_owned(), list)].into(),
        subscriptions: BTreeMap::new(),
        extensions: ExtensionsWanted {
            account_data: Some(Scope::default()),
            receipts: Some(Scope::default()),
            typing: Some(Scope::default()),
            ..ExtensionsWanted::default()
        },
    }
}

#[tokio::test]
async fn news_of_one_room_cost_a_sliding_sync_the_same_however_many_rooms_there_are() {
    on_each_engine(async |world: World| {
        let mut costs = Vec::new();
        for (name, count) in [("few", 5), ("many", 60)] {
            let person = world.person(name).await;
            let mut rooms = Vec::new();
            for number in 0..count {
                rooms.push(Room::create(&world, &format!("{name}{number}"), &person).await);
            }
            let slide = async |pos| world.engine.slide(person.reader(), &window(999, pos)).await.unwrap();
            let first = slide(None).await;
            assert_eq!((first.rooms.len(), first.lists["all"]), (count, count));
            rooms[3].message(&person, "before").await;
            let second = slide(Some(first.pos)).await;
            rooms[3].message(&person, "here").await;
            let before = world.store.reads();
            let news = slide(Some(second.pos)).await;
            assert_eq!(bodies(&news.rooms[0].timeline.as_ref().unwrap().events), "here");
            costs.push(world.store.reads() - before);
            let before = world.store.reads();
            assert!(slide(Some(news.pos)).await.rooms.is_empty());
            assert_eq!(world.store.reads() - before, 0);
        }
        assert_eq!(costs, [1, 1], "where the room stands, and nothing else");
    })
    .await;
}

#[tokio::test]
async fn first_window_costs_what_it_shows_and_not_what_lies_below() {
    on_each_engine(async |world: World| {
        let alice = world.person("alice").await;
        for number in 0..80 {
            Room::create(&world, &number.to_string(), &alice).await;
        }
        let mut costs = Vec::new();
        for last in [9, 19] {
            let store = Store::open(&world.settings).await.unwrap();
            let view = View::new(store.clone(), world.ambient.clone());
            let engine =
                SyncEngine::start(store.clone(), view, world.ambient.clone(), SyncSettings::default());
            let before = store.reads();
            let answer = engine.slide(alice.reader(), &window(last, None)).await.unwrap();
            assert_eq!((answer.rooms.len(), answer.lists["all"]), (last + 1, 80));
            costs.push(store.reads() - before);
        }
        let each = (costs[1] - costs[0]) / 10;
        assert!(each <= 20, "{each} queries for each cold room of the window");
        assert!(costs[0] <= 10 * each + 40, "{costs:?} queries for the first window of ten and of twenty");
    })
    .await;
}

/// Thousands wait at the same time, each in such a future.
#[tokio::test]
async fn waiting_holds_little_memory() {
    const MOST_BYTES: usize = 2_048;
    on_each_engine(async |world: World| {
        let reader = world.person("alice").await.reader();
        let classic = request(None, lazy());
        let classic = size_of_val(&world.engine.sync(reader, &classic));
        let sliding = window(19, None);
        let sliding = size_of_val(&world.engine.slide(reader, &sliding));
        assert!(classic <= MOST_BYTES && sliding <= MOST_BYTES, "classic {classic}, sliding {sliding} bytes");
    })
    .await;
}
