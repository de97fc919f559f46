//! Random traffic and random syncs: what a client makes of the answers must be what the room is.

use std::collections::{HashMap, HashSet};

use parvis_ambient::{Chance as _, SeededChance};
use parvis_events::Membership;
use parvis_storage::{Direction, EventSn, Position};
use parvis_sync::{ShownEvent, SyncAnswer, Timeline, Token};
use serde_json::json;

use crate::world::{Person, Room, World, on_each_engine, request};

/// Dice that fall the same way for the same seed.
struct Dice(SeededChance);

impl Dice {
    fn below(&self, count: usize) -> usize {
        usize::try_from(self.0.number() % u64::try_from(count).unwrap()).unwrap()
    }

    fn one_in(&self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// What a client knows of a room.
#[derive(Default)]
struct KnownRoom {
    state: HashMap<(String, String), EventSn>,
    timeline: Vec<EventSn>,
    joined: bool,
}

/// A client that syncs now and then.
struct Client {
    person: Person,
    state_after: bool,
    rooms: HashMap<String, KnownRoom>,
    since: Option<Token>,
}

impl Client {
    fn new(person: Person, state_after: bool) -> Self {
        Self { person, state_after, rooms: HashMap::new(), since: None }
    }

    /// Syncs, with a small limit, and takes in the answer. Sometimes the answer is lost.
    async fn sync(&mut self, world: &World, dice: &Dice) {
        let limit = 1 + dice.below(4);
        let mut request = request(self.since, json!({ "room": { "timeline": { "limit": limit } } }));
        request.state_after = self.state_after;
        let answer = world.engine.sync(self.person.reader(), &request).await.unwrap();
        if dice.one_in(5) {
            return;
        }
        self.take_in(world, &answer).await;
    }

    async fn take_in(&mut self, world: &World, answer: &SyncAnswer) {
        let since = self.since;
        for told in &answer.joined {
            let known = self.rooms.entry(told.room_id.to_string()).or_default();
            let was_joined = std::mem::replace(&mut known.joined, true);
            let gap = told.timeline.limited && was_joined;
            if gap {
                let after = since.map_or(Position::START, |since| since.position);
                let page = page(world, &self.person, &told.timeline, after).await;
                known.timeline.extend(page);
            }
            known.apply(self.state_after, &told.state, &told.timeline);
        }
        for told in &answer.left {
            let known = self.rooms.entry(told.room_id.to_string()).or_default();
            known.apply(self.state_after, &told.state, &told.timeline);
            known.joined = false;
        }
        self.since = Some(answer.next);
    }

    /// Compares what the client knows with what is.
    async fn check(&self, world: &World, rooms: &[Room], seed: u64) {
        let until = self.since.unwrap().position;
        for room in rooms {
            let Some(known) = self.rooms.get(room.head.room_id.as_str()) else { continue };
            let member = world.store.member(self.person.user, room.head.room).await.unwrap();
            if !known.joined || member.is_none_or(|member| member.membership != Membership::Join) {
                continue;
            }
            let root = world.store.room_root_at(room.head.room, until).await.unwrap();
            let events = world.store.state_events(root).await.unwrap();
            let key = |kind: &str, state_key: Option<&str>| (kind.to_owned(), state_key.unwrap().to_owned());
            let state: HashMap<_, _> =
                events.iter().map(|event| (key(event.pdu.kind(), event.pdu.state_key()), event.sn)).collect();
            assert_eq!(known.state, state, "seed {seed}, {}", room.head.room_id);
        }
    }
}

impl KnownRoom {
    fn apply(&mut self, state_after: bool, state: &[ShownEvent], timeline: &Timeline) {
        let on_timeline = timeline.events.iter().filter(|_| !state_after);
        for shown in state.iter().chain(on_timeline) {
            let pdu = &shown.event.pdu;
            if let Some(state_key) = pdu.state_key() {
                self.state.insert((pdu.kind().to_owned(), state_key.to_owned()), shown.event.sn);
            }
        }
        self.timeline.extend(timeline.events.iter().map(|shown| shown.event.sn));
    }
}

/// The events of a gap, oldest first, as a client pages through it.
async fn page(world: &World, person: &Person, timeline: &Timeline, after: Position) -> Vec<EventSn> {
    let room = timeline.events[0].event.room;
    let events = world.store.timeline(room, after, timeline.start, Direction::Forward, 10_000).await.unwrap();
    let shown = world.view.show(person.reader(), &events).await.unwrap();
    shown.iter().map(|shown| shown.event.sn).collect()
}

/// Something happens in a room.
async fn happen(room: &mut Room, people: &[Person], dice: &Dice) {
    let sender = &people[dice.below(people.len())];
    match dice.below(8) {
        0..4 => drop(room.message(sender, "said").await),
        4..7 => {
            let (kind, key) = (dice.below(3), dice.below(3));
            let content = json!({ "n": dice.below(1_000_000) });
            room.state(sender, &format!("x.kind{kind}"), &format!("key{key}"), content).await;
        }
        _ => drop(room.member(sender, sender, "join").await),
    }
}

/// The last of these comes and goes.
async fn come_or_go(world: &World, room: &mut Room, people: &[Person], dice: &Dice) {
    let comer = people.last().unwrap();
    let member = world.store.member(comer.user, room.head.room).await.unwrap();
    let next = match member.map_or(Membership::Leave, |member| member.membership) {
        Membership::Join => ["leave", "ban", "join"],
        Membership::Invite => ["join", "leave", "join"],
        _ => ["join", "invite", "leave"],
    };
    room.member(&people[0], comer, next[dice.below(next.len())]).await;
}

async fn play(world: &World, seed: u64) {
    let dice = Dice(SeededChance::new(seed));
    let mut people = Vec::new();
    for name in ["alice", "bob", "carol", "dave"] {
        people.push(world.person(&format!("{name}{seed}")).await);
    }
    let mut rooms = Vec::new();
    for number in 0..3 {
        let mut room = Room::create(world, &format!("{seed}-{number}"), &people[0]).await;
        for person in &people[1..3] {
            room.member(person, person, "join").await;
        }
        rooms.push(room);
    }
    let comer = people[3].clone();
    let mut clients: Vec<Client> = [&people[0], &people[1], &comer]
        .into_iter()
        .flat_map(|person| [false, true].map(|state_after| Client::new(person.clone(), state_after)))
        .collect();
    for step in 0..150 {
        let room = dice.below(rooms.len());
        if dice.one_in(6) {
            come_or_go(world, &mut rooms[room], &people, &dice).await;
        } else {
            happen(&mut rooms[room], &people[..3], &dice).await;
        }
        let client = dice.below(clients.len());
        if dice.one_in(2) || step == 149 {
            clients[client].sync(world, &dice).await;
            if clients[client].since.is_some() {
                clients[client].check(world, &rooms, seed).await;
            }
        }
    }
    // Those who were in all the time have seen everything once, in order.
    for client in &mut clients[..4] {
        while client.since.is_none_or(|since| since.position < world.store.head()) {
            client.sync(world, &dice).await;
        }
        client.check(world, &rooms, seed).await;
        for room in &rooms {
            let timeline = &client.rooms[room.head.room_id.as_str()].timeline;
            let distinct: HashSet<_> = timeline.iter().collect();
            assert_eq!(distinct.len(), timeline.len(), "seed {seed}: nothing is told twice");
            let all = world.store.timeline(
                room.head.room,
                Position::START,
                world.store.head(),
                Direction::Forward,
                10_000,
            );
            let all: Vec<_> = all.await.unwrap().iter().map(|event| event.sn).collect();
            assert!(all.ends_with(timeline), "seed {seed}: nothing is lost and all is in order");
        }
    }
}

#[tokio::test]
async fn client_s_picture_of_a_room_is_the_room() {
    on_each_engine(async |world: World| {
        let seeds = if world.is_sqlite() { 0..6 } else { 6..8 };
        for seed in seeds {
            play(&world, seed).await;
        }
    })
    .await;
}

#[tokio::test]
async fn state_that_resolution_brings_back_is_told() {
    on_each_engine(async |world: World| {
        let alice = world.person("alice").await;
        let mut room = Room::create(&world, "r", &alice).await;
        let first = room.state(&alice, "m.room.topic", "", json!({ "topic": "first" })).await;
        let second = room.state(&alice, "m.room.topic", "", json!({ "topic": "second" })).await;
        for state_after in [false, true] {
            let since = world.sync(&alice, None, json!({})).await.next;
            // A message after which the room's state is as if the second topic had never been.
            let message = room.message_with_reset(&alice, "merge", &first).await;
            let mut request = request(Some(since), json!({}));
            request.state_after = state_after;
            let answer = world.engine.sync(alice.reader(), &request).await.unwrap();
            let told = &answer.joined[0];
            assert_eq!(told.timeline.events[0].event.sn, message.sn);
            let state: Vec<_> = told.state.iter().map(|shown| shown.event.sn).collect();
            assert_eq!(state, [first.sn], "state after: {state_after}");
            room.message_with_reset(&alice, "back", &second).await;
        }
    })
    .await;
}
