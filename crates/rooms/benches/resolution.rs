//! State resolution in rooms of 10,000, 50,000 and 200,000 members where the same forks meet: what it costs must
//! follow from what differs, not from the size of the room.
//!
//! What is timed is the taking in of the event at which two branches meet, with all that belongs to it: the
//! difference of the states, the chains of authorisation, the rules, the new state and its commit, which does not
//! wait for the disk. `PARVIS_BENCH_MEMBERS` names other sizes, with commas.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on must end")]
#![expect(clippy::print_stdout, reason = "a measurement that a person runs and reads")]
#![expect(clippy::disallowed_methods, reason = "it measures real time, and is configured by the environment")]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, SamplingMode};
use parvis_ambient::{Ambient, SeededChance, TestClock};
use parvis_dag as dag;
use parvis_events::{EventDraft, Membership, Pdu, RoomVersion, ServerKey};
use parvis_policy::{Policy, Standing, encryption::EncryptionPolicy};
use parvis_rooms::{Identity, Others, RoomSettings, Rooms, StateGiven};
use parvis_storage::{
    DatabaseSettings, EventFlags, EventSn, NewEvent, Position, RoomHead, RoomSn, Slot, StateRoot, Store,
    StoreSettings, TypeSn, UserSn, WriteSet,
};
use ruma::{OwnedEventId, OwnedUserId, server_name};
use serde_json::{Value, json, value::RawValue};
use tokio::runtime::Runtime;

const VERSION: RoomVersion = RoomVersion::V12;
/// How many events each branch has.
const BRANCHES: [usize; 2] = [1, 20];
/// How many events are written at once.
const AT_ONCE: usize = 2_000;

/// The room of another server, and where it stands as its members see it.
struct Room {
    runtime: Runtime,
    store: Store,
    rooms: Rooms,
    key: ServerKey,
    number: RoomSn,
    state: dag::StateMap,
    ends: Vec<Pdu>,
    /// The next member of whom nothing was heard yet.
    next_member: usize,
    now: i64,
    _directory: tempfile::TempDir,
}

fn user(number: usize) -> OwnedUserId {
    OwnedUserId::try_from(format!("@member-{number}:elsewhere.test")).unwrap()
}

impl Room {
    /// A room of so many members, as it is after a join: its state came as a whole.
    fn of(members: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("parvis.db");
        let database = DatabaseSettings::Sqlite { path, readers: 2, relaxed_durability: true };
        let settings = StoreSettings { database, cache_bytes: 256 << 20 };
        let store = runtime.block_on(Store::open(&settings)).unwrap();
        let rooms = runtime.block_on(async { rooms_in(&store) });
        let mut room = Self {
            number: RoomSn(runtime.block_on(store.next_number()).unwrap()),
            runtime,
            store,
            rooms,
            key: ServerKey::generate([7; 32], "1").unwrap(),
            state: dag::StateMap::new(),
            ends: Vec::new(),
            next_member: 10,
            now: 1_700_000_000_000,
            _directory: directory,
        };
        let mut events = room.ground();
        for number in 1..members {
            events.push(room.membership(number, number, &json!({ "membership": "join" })));
        }
        let topic = room.event(0, "m.room.topic", Some(""), &json!({ "topic": "Everybody is here" }));
        Filling::new(&room).fill(&events, &topic);
        room.ends = vec![topic];
        room
    }

    fn ground(&mut self) -> Vec<Pdu> {
        let users = json!({ user(1).as_str(): 100 });
        vec![
            self.event(0, "m.room.create", Some(""), &json!({ "room_version": VERSION.as_str() })),
            self.membership(0, 0, &json!({ "membership": "join" })),
            self.event(0, "m.room.power_levels", Some(""), &json!({ "users": users })),
            self.event(0, "m.room.join_rules", Some(""), &json!({ "join_rule": "public" })),
        ]
    }

    fn membership(&mut self, sender: usize, whose: usize, content: &Value) -> Pdu {
        self.event(sender, "m.room.member", Some(user(whose).as_str()), content)
    }

    /// The next event on this branch, which is its end from now on.
    fn event(&mut self, sender: usize, kind: &str, state_key: Option<&str>, content: &Value) -> Pdu {
        self.now += 10;
        let content = RawValue::from_string(content.to_string()).unwrap();
        let keys = dag::auth_types(VERSION, &user(sender), kind, state_key, &content).unwrap();
        let auth_events = keys.iter().filter_map(|key| self.state.get(key).cloned()).collect();
        let draft = EventDraft {
            room_id: self.ends.first().map(|end| end.owned_room_id().clone()),
            sender: user(sender),
            kind: kind.to_owned(),
            state_key: state_key.map(ToOwned::to_owned),
            content,
            redacts: None,
            prev_events: self.ends.iter().map(|end| end.owned_event_id().clone()).collect(),
            auth_events,
            depth: self.ends.iter().map(Pdu::depth).max().unwrap_or(0) + 1,
            origin_server_ts: self.now,
        };
        let pdu = draft.sign(VERSION, &self.key).unwrap();
        if let Some(state_key) = state_key {
            self.state.insert((kind.to_owned(), state_key.to_owned()), pdu.owned_event_id().clone());
        }
        self.ends = vec![pdu.clone()];
        pdu
    }

    fn take_in(&self, pdu: &Pdu) {
        let taken = self.runtime.block_on(self.rooms.take_in(self.number, pdu, &StateGiven::new())).unwrap();
        assert_eq!(taken.verdict, parvis_rooms::Verdict::Accepted);
    }

    /// Two branches of so many events: on one, members are banned; on the other the levels change and members
    /// change their names. Tells how long the last event took, with which the second branch is whole.
    fn fork_and_meet(&mut self, length: usize) -> Duration {
        let (ends, before) = (self.ends.clone(), self.state.clone());
        let first = self.next_member;
        self.next_member += 2 * length;
        for whose in first..first + length {
            let banned = self.membership(1, whose, &json!({ "membership": "ban" }));
            self.take_in(&banned);
        }
        let (one, banned) =
            (std::mem::replace(&mut self.ends, ends), std::mem::replace(&mut self.state, before));
        let users = json!({ user(1).as_str(): 100, user(2).as_str(): first % 50 });
        let mut branch = vec![self.event(0, "m.room.power_levels", Some(""), &json!({ "users": users }))];
        for whose in first + length + 1..first + 2 * length {
            let renamed = json!({ "membership": "join", "displayname": "Another name" });
            branch.push(self.membership(whose, whose, &renamed));
        }
        let (last, others) = branch.split_last().unwrap();
        others.iter().for_each(|pdu| self.take_in(pdu));
        let start = Instant::now();
        self.take_in(black_box(last));
        let took = start.elapsed();
        // What both did counts: bans are not touched by the new levels, nor names by the bans.
        let whose = |whose: usize| ("m.room.member".to_owned(), user(whose).to_string());
        for key in (first..first + length).map(whose) {
            self.state.insert(key.clone(), banned[&key].clone());
        }
        self.ends.extend(one);
        let merge = self.event(0, "m.room.message", None, &json!({ "body": "together again" }));
        self.take_in(&merge);
        took
    }

    /// A message that follows the only end: what an event costs where nothing is resolved.
    fn go_on(&mut self) -> Duration {
        let message = self.event(0, "m.room.message", None, &json!({ "body": "hello" }));
        let start = Instant::now();
        self.take_in(black_box(&message));
        start.elapsed()
    }
}

fn rooms_in(store: &Store) -> Rooms {
    let clock = Arc::new(TestClock::starting_at(1_700_000_000_000));
    let ambient = Ambient { clock, chance: Arc::new(SeededChance::new(1)) };
    let identity = Identity {
        server_name: server_name!("parvis.test").to_owned(),
        key: Arc::new(ServerKey::generate([3; 32], "1").unwrap()),
    };
    let settings = RoomSettings {
        default_version: VERSION,
        allowed_versions: RoomVersion::supported().collect(),
        policy: Standing::new(Policy { encryption: EncryptionPolicy::default() }),
        may_publish: true,
        join_old_versions: false,
        calls_between_apps: true,
        services: parvis_application_services::ApplicationServices::default(),
    };
    let others = Others::none(&identity);
    Rooms::new(store.clone(), ambient, identity, others, settings)
}

/// Writes a room's state as a join does: events that are known by themselves, and one in the timeline.
struct Filling<'a> {
    room: &'a Room,
    numbers: std::collections::HashMap<OwnedEventId, EventSn>,
    changes: Vec<(Slot, Option<EventSn>)>,
    members: Vec<(UserSn, EventSn)>,
}

impl<'a> Filling<'a> {
    fn new(room: &'a Room) -> Self {
        Self { room, numbers: Default::default(), changes: Vec::new(), members: Vec::new() }
    }

    fn fill(mut self, events: &[Pdu], last: &Pdu) {
        let room = self.room;
        room.runtime.block_on(async {
            for some in events.chunks(AT_ONCE) {
                let mut set = WriteSet::new();
                for pdu in some {
                    let event = self.event(&mut set, pdu, EventFlags::OUTLIER).await;
                    set.add_event(event);
                }
                room.store.commit(set).await.unwrap();
            }
            self.finish(last).await;
        });
    }

    async fn finish(mut self, last: &Pdu) {
        let store = &self.room.store;
        let mut set = WriteSet::new();
        let before = store.change_state(&mut set, StateRoot::EMPTY, &self.changes).await.unwrap();
        let mut event = self.event(&mut set, last, EventFlags::SEAM).await;
        let set_by_last = &self.changes[self.changes.len() - 1..];
        let after = store.change_state(&mut set, before, set_by_last).await.unwrap();
        event.state_root = before;
        event.stand_at(before, after);
        let head = RoomHead {
            room: self.room.number,
            room_id: last.owned_room_id().clone(),
            version: VERSION,
            class: String::new(),
            head_version: 1,
            heads: vec![event.sn],
            state_root: after,
            depth: last.depth(),
            next_slot: u32::try_from(self.changes.len()).unwrap(),
            next_state_index: i64::try_from(self.changes.len()).unwrap(),
            last_position: Position::START,
        };
        set.add_event(event);
        for (member, join) in &self.members {
            set.put_member(*member, self.room.number, Membership::Join, *join);
        }
        set.move_room(None, head);
        store.commit(set).await.unwrap();
    }

    /// A state event, numbered, in a slot of its own.
    async fn event(&mut self, set: &mut WriteSet, pdu: &Pdu, flags: EventFlags) -> NewEvent {
        let (store, room) = (&self.room.store, self.room.number);
        let sn = EventSn(store.next_number().await.unwrap());
        let kind: TypeSn = store.intern_type(pdu.kind()).await.unwrap();
        let sender = store.intern_user(pdu.sender()).await.unwrap();
        let slot = Slot(u32::try_from(self.changes.len()).unwrap());
        let state_key = pdu.state_key().unwrap();
        set.add_slot(room, kind, state_key, slot);
        self.changes.push((slot, Some(sn)));
        self.numbers.insert(pdu.owned_event_id().clone(), sn);
        // Everybody who came into this room came by themselves.
        let member = pdu.membership().map(|_| sender);
        self.members.extend(member.map(|member| (member, sn)));
        let numbers =
            |ids: &[OwnedEventId]| ids.iter().filter_map(|id| self.numbers.get(id).copied()).collect();
        NewEvent {
            sn,
            room,
            kind,
            sender,
            member,
            slot: Some(slot),
            state_index: Some(i64::from(slot.0)),
            flags,
            state_root: StateRoot::EMPTY,
            room_root: StateRoot::EMPTY,
            prev: numbers(pdu.prev_events()),
            auth: numbers(pdu.auth_events()),
            transaction: None,
            pdu: pdu.clone(),
        }
    }
}

fn sizes() -> Vec<usize> {
    let wanted = std::env::var("PARVIS_BENCH_MEMBERS").unwrap_or_else(|_| "10000,50000,200000".to_owned());
    wanted.split(',').map(|size| size.trim().parse().unwrap()).collect()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("state resolution");
    // Most of a sample is spent on the events before the one that is timed.
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
    for members in sizes() {
        let mut room = Room::of(members);
        // The graph of authorisation is read once, when the first forks meet.
        println!("{members} members: the first forks meet in {:?}", room.fork_and_meet(1));
        group.bench_with_input(BenchmarkId::new("no fork", members), &members, |bencher, _| {
            bencher.iter_custom(|times| (0..times).map(|_| room.go_on()).sum());
        });
        for length in BRANCHES {
            let name = format!("branches of {length}");
            group.bench_with_input(BenchmarkId::new(name, members), &members, |bencher, _| {
                bencher.iter_custom(|times| (0..times).map(|_| room.fork_and_meet(length)).sum());
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
