//! The promises themselves.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use parvis_events::{EventDraft, Membership, RoomVersion, ServerKey};
use parvis_storage::{
    Change, CommitError, DatabaseSettings, DeviceSn, Direction, EventFlags, EventSn, NewEvent, NewReceipt,
    Position, RoomHead, RoomSn, Slot, StateRoot, StorageError, Store, TransactionKey, UserSn, WriteSet,
    check_statements, schema,
};
use ruma::{OwnedRoomId, room_alias_id, room_id, user_id};
use serde_json::value::RawValue;
use sqlx::Connection as _;

use crate::world::{World, on_each_engine, postgres_if_any};

/// A small room whose head a test moves by hand.
struct TestRoom {
    head: RoomHead,
    sender: UserSn,
    exists: bool,
}

impl TestRoom {
    async fn new(store: &Store, room_id: OwnedRoomId) -> Self {
        let sender = store.intern_user(user_id!("@alice:parvis.test")).await.unwrap();
        let head = RoomHead {
            room: RoomSn(store.next_number().await.unwrap()),
            room_id,
            version: RoomVersion::V11,
            class: "private".to_owned(),
            head_version: 0,
            heads: Vec::new(),
            state_root: StateRoot::EMPTY,
            depth: 0,
            next_slot: 0,
            next_state_index: 0,
            last_position: Position::START,
        };
        Self { head, sender, exists: false }
    }

    /// A write set that adds a message, and the event's number.
    async fn message(&mut self, store: &Store, text: &str) -> (WriteSet, EventSn) {
        let draft = EventDraft {
            room_id: Some(self.head.room_id.clone()),
            sender: user_id!("@alice:parvis.test").to_owned(),
            kind: "m.room.message".to_owned(),
            state_key: None,
            content: RawValue::from_string(serde_json::json!({ "body": text }).to_string()).unwrap(),
            redacts: None,
            prev_events: Vec::new(),
            auth_events: Vec::new(),
            depth: self.head.depth + 1,
            origin_server_ts: 1_000 + self.head.depth,
        };
        let key = ServerKey::generate([7; 32], "1").unwrap();
        let pdu = draft.sign(RoomVersion::V11, &key).unwrap();
        let sn = EventSn(store.next_number().await.unwrap());
        let mut set = WriteSet::new();
        set.add_event(NewEvent {
            sn,
            room: self.head.room,
            kind: store.intern_type("m.room.message").await.unwrap(),
            sender: self.sender,
            member: None,
            slot: None,
            state_index: None,
            flags: EventFlags::ACCEPTED,
            state_root: self.head.state_root,
            room_root: self.head.state_root,
            prev: self.head.heads.clone(),
            auth: Vec::new(),
            transaction: None,
            pdu,
        });
        let expected = self.exists.then_some(self.head.head_version);
        self.head.head_version += 1;
        self.head.heads = vec![sn];
        self.head.depth += 1;
        self.exists = true;
        set.move_room(expected, self.head.clone());
        (set, sn)
    }
}

#[tokio::test]
async fn every_statement_is_valid_on_both_engines() {
    on_each_engine(async |world: World| {
        let prepared = check_statements(&world.store).await.unwrap();
        assert!(prepared > 50, "only {prepared} texts were prepared");
    })
    .await;
}

#[tokio::test]
async fn both_engines_have_the_same_tables_and_columns() {
    let sqlite = schema(&World::sqlite().await.store).await.unwrap();
    assert!(sqlite.len() > 60, "{sqlite:?}");
    if let Some(world) = postgres_if_any().await {
        assert_eq!(sqlite, schema(&world.store).await.unwrap());
    }
}

#[tokio::test]
async fn schema_from_the_future_is_refused() {
    on_each_engine(async |world: World| {
        parvis_storage::pretend_newer_schema(&world.store).await.unwrap();
        world.store.close().await;
        let refusal = Store::open(&world.settings).await.unwrap_err();
        assert!(matches!(refusal, StorageError::SchemaFromTheFuture(9_999)), "{refusal}");
        assert!(refusal.to_string().contains("newer Parvis"));
    })
    .await;
}

#[tokio::test]
async fn committed_event_is_read_back_after_reopening() {
    on_each_engine(async |world: World| {
        let mut room = TestRoom::new(&world.store, room_id!("!r:parvis.test").to_owned()).await;
        let (set, sn) = room.message(&world.store, "hello").await;
        let committed = world.store.commit(set).await.unwrap();
        assert_eq!(committed.position, world.store.head());
        world.store.close().await;

        let store = Store::open(&world.settings).await.unwrap();
        assert_eq!(store.head(), committed.position);
        let event = store.event(sn).await.unwrap();
        assert_eq!(event.position, committed.position);
        assert_eq!(event.pdu.content_json(), r#"{"body":"hello"}"#);
        let number = store.room_sn(room_id!("!r:parvis.test")).await.unwrap().unwrap();
        assert_eq!(store.room_head(number).await.unwrap().unwrap().heads, [sn]);
        assert_eq!(store.event_by_id(event.pdu.event_id()).await.unwrap().unwrap().sn, sn);
    })
    .await;
}

/// A head is prepared before the writes ahead of it are done: it does not know their positions, and must not undo them.
#[tokio::test]
async fn room_that_moved_stays_among_those_that_moved() {
    on_each_engine(async |world: World| {
        let mut room = TestRoom::new(&world.store, room_id!("!r:parvis.test").to_owned()).await;
        let (first, _) = room.message(&world.store, "one").await;
        let since = world.store.commit(first).await.unwrap().position;
        let (second, _) = room.message(&world.store, "two").await;
        let mut third = WriteSet::new();
        room.head.head_version += 1;
        third.move_room(Some(room.head.head_version - 1), room.head.clone());
        let flights = [world.store.submit(second).await, world.store.submit(third).await];
        for flight in flights {
            flight.done().await.unwrap();
        }
        let rooms = [room.head.room];
        assert_eq!(world.store.rooms_moved(&rooms, since).await.unwrap(), rooms);

        let mut fourth = WriteSet::new();
        room.head.head_version += 1;
        fourth.move_room(Some(room.head.head_version - 1), room.head.clone());
        world.store.commit(fourth).await.unwrap();
        assert_eq!(world.store.rooms_moved(&rooms, since).await.unwrap(), rooms);
    })
    .await;
}

#[tokio::test]
async fn chain_of_writes_to_one_room_is_written_in_order_without_waiting() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let mut room = TestRoom::new(store, room_id!("!r:parvis.test").to_owned()).await;
        let mut waiting = Vec::new();
        let mut sns = Vec::new();
        for number in 0..200 {
            let (set, sn) = room.message(store, &number.to_string()).await;
            waiting.push(store.submit(set).await);
            assert!(store.event(sn).await.is_ok(), "a submitted event can be built upon");
            sns.push(sn);
        }
        for submitted in waiting {
            submitted.done().await.unwrap();
        }
        let read = store.timeline(room.head.room, Position::START, store.head(), Direction::Forward, 1_000);
        let read: Vec<_> = read.await.unwrap().iter().map(|event| event.sn).collect();
        assert_eq!(read, sns);
        let newest = store.timeline(room.head.room, Position::START, store.head(), Direction::Backward, 2);
        let newest: Vec<_> = newest.await.unwrap().iter().map(|event| event.sn).collect();
        assert_eq!(newest, [sns[199], sns[198]]);
    })
    .await;
}

#[tokio::test]
async fn write_on_a_head_that_has_moved_is_refused_and_leaves_nothing() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let mut room = TestRoom::new(store, room_id!("!r:parvis.test").to_owned()).await;
        let (first, _) = room.message(store, "first").await;
        store.commit(first).await.unwrap();
        let stale = room.head.clone();
        let (second, _) = room.message(store, "second").await;
        room.head = stale.clone();
        let (rival, rival_sn) = room.message(store, "rival").await;
        store.commit(second).await.unwrap();
        let head = store.head();
        assert!(matches!(store.commit(rival).await, Err(CommitError::RoomMoved)));
        assert_eq!(store.head(), head, "a refused set takes no position");
        // Two that are written together, of which the first is refused.
        let (next, _) =
            TestRoom::new(store, room_id!("!other:parvis.test").to_owned()).await.message(store, "x").await;
        let before = store.head();
        room.head = stale;
        let (again, _) = room.message(store, "rival again").await;
        let (again, next) = (store.submit(again).await, store.submit(next).await);
        assert!(matches!(again.done().await, Err(CommitError::RoomMoved)));
        assert_eq!(next.done().await.unwrap().position.0, before.0 + 1, "nor does it leave a gap");
        assert!(store.event(rival_sn).await.is_err(), "a refused event does not exist");
    })
    .await;
}

#[tokio::test]
async fn positions_that_were_taken_elsewhere_are_not_given_again() {
    on_each_engine(async |World { store, settings, _directory }: World| {
        let mut room = TestRoom::new(&store, room_id!("!r:parvis.test").to_owned()).await;
        for body in ["first", "second"] {
            let (message, _) = room.message(&store, body).await;
            store.commit(message).await.unwrap();
        }
        let before = store.head();
        take_positions(&settings.database, 3).await;
        for number in 1..=2 {
            let (message, sn) = room.message(&store, "afterwards").await;
            let position = store.commit(message).await.unwrap().position;
            assert_eq!(position, Position(before.0 + 3 + number));
            assert_eq!(store.event(sn).await.unwrap().position, position);
        }
    })
    .await;
}

/// Takes positions as another process would.
async fn take_positions(database: &DatabaseSettings, count: i64) {
    let take = format!("UPDATE counters SET value = value + {count} WHERE name = 'position'");
    let take = sqlx::raw_sql(sqlx::AssertSqlSafe(take));
    match database {
        DatabaseSettings::Sqlite { path, .. } => {
            let url = format!("sqlite://{}", path.display());
            let mut other = sqlx::SqliteConnection::connect(&url).await.unwrap();
            take.execute(&mut other).await.unwrap();
        }
        DatabaseSettings::Postgres { url, .. } => {
            let mut other = sqlx::PgConnection::connect(url).await.unwrap();
            take.execute(&mut other).await.unwrap();
        }
    }
}

#[tokio::test]
async fn set_that_writes_nothing_is_done_once_those_before_it_are() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let mut room = TestRoom::new(store, room_id!("!r:parvis.test").to_owned()).await;
        let (first, _) = room.message(store, "first").await;
        let head = store.commit(first).await.unwrap().position;
        assert_eq!(store.commit(WriteSet::new()).await.unwrap().position, head);
        let (second, sn) = room.message(store, "second").await;
        let second = store.submit(second).await;
        store.settle().await.unwrap();
        assert_eq!(store.event(sn).await.unwrap().position, Position(head.0 + 1));
        second.done().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn transaction_id_makes_one_event_even_within_a_group() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let key = TransactionKey { device: DeviceSn(5), scope: "send".into(), transaction_id: "t1".into() };
        let mut first_room = TestRoom::new(store, room_id!("!a:parvis.test").to_owned()).await;
        let mut second_room = TestRoom::new(store, room_id!("!b:parvis.test").to_owned()).await;
        let (mut first, first_sn) = first_room.message(store, "once").await;
        first.use_transaction(key.clone(), first_sn, 1);
        let (mut second, second_sn) = second_room.message(store, "twice").await;
        second.use_transaction(key.clone(), second_sn, 1);
        let (first, second) = (store.submit(first).await, store.submit(second).await);
        first.done().await.unwrap();
        let refusal = second.done().await.unwrap_err();
        assert!(matches!(refusal, CommitError::TransactionUsed(event) if event == first_sn), "{refusal}");
        let (mut third, third_sn) = second_room.message(store, "thrice").await;
        third.use_transaction(key, third_sn, 1);
        assert!(
            matches!(store.commit(third).await, Err(CommitError::TransactionUsed(event)) if event == first_sn)
        );
    })
    .await;
}

#[tokio::test]
async fn positions_are_seen_strictly_in_order_by_a_follower() {
    on_each_engine(async |world: World| {
        let store = world.store.clone();
        let mut rooms = Vec::new();
        for number in 0..8 {
            let room_id = OwnedRoomId::try_from(format!("!{number}:parvis.test")).unwrap();
            rooms.push(TestRoom::new(&store, room_id).await);
        }
        let follower = tokio::spawn({
            let store = store.clone();
            async move {
                let (mut head, mut cursor, mut seen) = (store.follow(), Position::START, Vec::new());
                while seen.len() < 8 * 25 {
                    head.changed().await.unwrap();
                    let until = head.see();
                    for change in store.changes_between(cursor, until).unwrap() {
                        if let Change::Event { event, .. } = change.change {
                            assert!(store.event(event).await.is_ok(), "an announced event can be read");
                            seen.push(change.position);
                        }
                    }
                    cursor = until;
                }
                seen
            }
        });
        let writers = rooms.into_iter().map(|mut room| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..25 {
                    let (set, _) = room.message(&store, &number.to_string()).await;
                    store.commit(set).await.unwrap();
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let seen = follower.await.unwrap();
        assert!(seen.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0), "no gap and no step back: {seen:?}");
    })
    .await;
}

#[tokio::test]
async fn state_tree_is_read_back_from_the_database() {
    on_each_engine(async |world: World| {
        let mut room = TestRoom::new(&world.store, room_id!("!r:parvis.test").to_owned()).await;
        let (mut set, _) = room.message(&world.store, "holds the state").await;
        let changes: Vec<_> =
            (0..1_000).map(|slot| (Slot(slot), Some(EventSn(i64::from(slot) * 3)))).collect();
        let store = &world.store;
        let root = store.change_state(&mut set, StateRoot::EMPTY, &changes).await.unwrap();
        let changes = [(Slot(7), Some(EventSn(1))), (Slot(900), None)];
        let refused = store.change_state(&mut WriteSet::new(), root, &changes).await.unwrap_err();
        assert!(matches!(refused, StorageError::Corrupt(_)), "a state that nobody writes does not exist");
        let twice = store.change_state(&mut set, root, &changes).await.unwrap();
        world.store.commit(set).await.unwrap();
        let mut set = WriteSet::new();
        let other = world.store.change_state(&mut set, root, &changes).await.unwrap();
        assert_eq!(twice, other);
        world.store.commit(set).await.unwrap();
        world.store.close().await;

        let store = Store::open(&world.settings).await.unwrap();
        assert_eq!(store.state_entries(root).await.unwrap().len(), 1_000);
        let found = store.state_diff(root, other).await.unwrap();
        let found: Vec<_> = found.iter().map(|one| (one.slot.0, one.before, one.after)).collect();
        assert_eq!(found, [(7, Some(EventSn(21)), Some(EventSn(1))), (900, Some(EventSn(2_700)), None)]);
    })
    .await;
}

#[tokio::test]
async fn memberships_in_memory_follow_the_commits() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let mut room = TestRoom::new(store, room_id!("!r:parvis.test").to_owned()).await;
        let bob = store.intern_user(user_id!("@bob:parvis.test")).await.unwrap();
        let mut expected = HashMap::new();
        for membership in [Membership::Invite, Membership::Join, Membership::Leave, Membership::Join] {
            let (mut set, sn) = room.message(store, membership.as_str()).await;
            set.put_member(bob, room.head.room, membership, sn);
            let committed = store.commit(set).await.unwrap();
            let member = store.member(bob, room.head.room).await.unwrap().unwrap();
            assert_eq!(
                (member.membership, member.event, member.position),
                (membership, sn, committed.position)
            );
            let members = store.members_of_room(room.head.room).await.unwrap();
            assert_eq!(members.is_joined(bob), membership == Membership::Join);
            expected.insert(room.head.room, member);
        }
        let reopened = Store::open(&world.settings).await.unwrap();
        let rooms: HashMap<_, _> = reopened.rooms_of_user(bob).await.unwrap().all().into_iter().collect();
        assert_eq!(rooms, expected, "what memory knew is what the database says");
    })
    .await;
}

#[tokio::test]
async fn redacted_event_is_read_without_its_content() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let mut room = TestRoom::new(store, room_id!("!r:parvis.test").to_owned()).await;
        let (set, sn) = room.message(store, "a secret").await;
        store.commit(set).await.unwrap();
        let event = store.event(sn).await.unwrap();
        let redacted = parvis_events::redact(&event.pdu).unwrap();
        let (mut set, by) = room.message(store, "the redaction").await;
        set.redact_event(sn, redacted.json(), by);
        store.commit(set).await.unwrap();
        let event = store.event(sn).await.unwrap();
        assert_eq!((event.redacted_by, event.pdu.content_json()), (Some(by), "{}"));
    })
    .await;
}

#[tokio::test]
async fn alias_is_given_once() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let alias = room_alias_id!("#hall:parvis.test");
        let give = async |room: i64| {
            let mut set = WriteSet::new();
            set.add_alias(alias, RoomSn(room), UserSn(1));
            store.commit(set).await
        };
        give(1).await.unwrap();
        assert!(matches!(give(2).await, Err(CommitError::Guard("alias_free"))));
        assert_eq!(store.alias(alias).await.unwrap().unwrap().room, RoomSn(1));
        assert_eq!(store.aliases_of_room(RoomSn(1)).await.unwrap(), [alias]);
    })
    .await;
}

#[tokio::test]
async fn receipts_and_account_data_are_found_by_position() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let alice = store.intern_user(user_id!("@alice:parvis.test")).await.unwrap();
        let content = RawValue::from_string(r#"{"a":1}"#.to_owned()).unwrap();
        let mut set = WriteSet::new();
        set.put_account_data(alice, None, "m.direct", &content);
        set.put_account_data(alice, Some(RoomSn(3)), "m.tag", &content);
        set.put_receipt(&NewReceipt {
            room: RoomSn(3),
            user: alice,
            user_id: user_id!("@alice:parvis.test"),
            receipt_type: "m.read",
            thread: "",
            event_id: ruma::event_id!("$e"),
            event_position: Position(1),
            ts: 5,
        });
        let committed = store.commit(set).await.unwrap();
        let middle = Position(committed.position.0 - 2);
        let data = store.account_data_between(alice, Position::START, committed.position).await.unwrap();
        assert_eq!(data.iter().map(|data| data.room).collect::<Vec<_>>(), [None, Some(RoomSn(3))]);
        let newer = store.account_data_between(alice, middle, committed.position).await.unwrap();
        assert_eq!(newer.iter().map(|data| data.kind.as_str()).collect::<Vec<_>>(), ["m.tag"]);
        let receipts = store.receipts_of_room(RoomSn(3)).await.unwrap();
        assert_eq!(receipts.between(middle, committed.position).len(), 1);
        assert!(receipts.between(committed.position, committed.position).is_empty());
        assert_eq!(receipts.of(alice)[0].user_id, "@alice:parvis.test");
        assert_eq!(store.rooms_with_receipts(&[RoomSn(2), RoomSn(3)], middle).await.unwrap(), [RoomSn(3)]);
        assert_eq!(store.rooms_with_receipts(&[RoomSn(3)], committed.position).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn receipts_in_memory_follow_the_commits() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let room = RoomSn(3);
        let (alice, bob) = (user_id!("@alice:parvis.test"), user_id!("@bob:parvis.test"));
        let mut moved = Vec::new();
        for (number, (user_id, thread)) in
            [(alice, ""), (bob, ""), (alice, "main"), (alice, ""), (bob, "")].into_iter().enumerate()
        {
            let mut set = WriteSet::new();
            set.put_receipt(&NewReceipt {
                room,
                user: store.intern_user(user_id).await.unwrap(),
                user_id,
                receipt_type: "m.read",
                thread,
                event_id: ruma::event_id!("$e"),
                event_position: Position(i64::try_from(number).unwrap()),
                ts: 5,
            });
            moved.push(store.commit(set).await.unwrap().position);
            // Read for the first time after the first commit, and changed by the others.
            store.receipts_of_room(room).await.unwrap();
        }
        let reopened = Store::open(&world.settings).await.unwrap();
        for store in [store, &reopened] {
            let receipts = store.receipts_of_room(room).await.unwrap();
            let all = receipts.between(Position::START, store.head());
            let all: Vec<_> =
                all.iter().map(|receipt| (receipt.position, receipt.event_position.0)).collect();
            assert_eq!(all, [(moved[2], 2), (moved[3], 3), (moved[4], 4)], "each stands where it moved last");
            let alice = store.find_user(alice).await.unwrap().unwrap();
            assert_eq!(receipts.of(alice).len(), 2);
        }
    })
    .await;
}

#[tokio::test]
async fn numbers_are_never_given_twice() {
    on_each_engine(async |world: World| {
        let mut tasks = Vec::new();
        for _ in 0..8 {
            let store = world.store.clone();
            tasks.push(tokio::spawn(async move {
                let mut numbers = Vec::new();
                for _ in 0..400 {
                    numbers.push(store.next_number().await.unwrap());
                }
                numbers
            }));
        }
        let mut seen = HashSet::new();
        for task in tasks {
            for number in task.await.unwrap() {
                assert!(seen.insert(number), "{number} was given twice");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn store_closes_though_clones_of_it_are_kept() {
    on_each_engine(async |world: World| {
        let kept = world.store.clone();
        let mut room = TestRoom::new(&kept, room_id!("!r:parvis.test").to_owned()).await;
        let (message, sn) = room.message(&kept, "written before it closed").await;
        let written = kept.submit(message).await;
        let (late, _) = room.message(&kept, "too late").await;
        let close = world.store.close();
        tokio::time::timeout(Duration::from_secs(60), close).await.expect("it waits for nobody");
        written.done().await.unwrap();
        assert!(matches!(kept.commit(late).await, Err(CommitError::Storage(StorageError::Closed))));
        assert!(kept.rooms_with_inbox().await.is_err(), "nor does it read");
        let again = Store::open(&world.settings).await.unwrap();
        assert_eq!(again.event(sn).await.unwrap().sn, sn);
        again.close().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_killed_process_was_committing_lies_before_the_head_of_the_next() {
    let Some(world) = postgres_if_any().await else { return };
    let DatabaseSettings::Postgres { url, .. } = &world.settings.database else { unreachable!() };
    let before = world.store.head();
    let mut killed = sqlx::PgConnection::connect(url).await.unwrap();
    let take = "UPDATE counters SET value = value + 3 WHERE name = 'position'";
    for text in ["BEGIN", take] {
        sqlx::raw_sql(text).execute(&mut killed).await.unwrap();
    }
    let settings = world.settings.clone();
    let next = tokio::spawn(async move { Store::open(&settings).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!next.is_finished(), "it waits for what is under way");
    sqlx::raw_sql("COMMIT").execute(&mut killed).await.unwrap();
    let next = next.await.unwrap();
    assert_eq!(next.head(), Position(before.0 + 3));
    next.close().await;
}
