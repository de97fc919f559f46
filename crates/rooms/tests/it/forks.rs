//! Rooms that fork: whatever the order in which the events arrive, the state at each of them is the one that
//! resolving whole states by the book gives.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, HashMap, HashSet};

use parvis_dag::{self as dag, Fork, Known, StateMap};
use parvis_events::{EventDraft, Membership, Pdu, RoomVersion, ServerKey};
use parvis_policy::Preset;
use parvis_rooms::{CreateRoom, StateGiven, TakeInError, Verdict};
use parvis_storage::{EventFlags, RoomSn, StateRoot};
use ruma::{EventId, OwnedEventId, OwnedUserId, RoomId, UserId};
use serde_json::{Value, json};

use crate::world::{World, json as raw, world_with};

/// How many events follow one another in a long fork.
const CHAIN: usize = 60;

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// A room as the book has it: every event with whole states.
struct Book {
    version: RoomVersion,
    events: HashMap<OwnedEventId, Pdu>,
    rejected: HashSet<OwnedEventId>,
    before: HashMap<OwnedEventId, StateMap>,
    order: Vec<OwnedEventId>,
    followed: HashSet<OwnedEventId>,
}

impl Book {
    fn known(&self, id: &EventId) -> Option<Known> {
        let pdu = self.events.get(id)?.clone();
        Some(Known { rejected: self.rejected.contains(id), pdu })
    }

    fn after(&self, id: &EventId) -> StateMap {
        let mut state = self.before[id].clone();
        let pdu = &self.events[id];
        if let Some(state_key) = pdu.state_key().filter(|_| !self.rejected.contains(id)) {
            state.insert((pdu.kind().to_owned(), state_key.to_owned()), id.to_owned());
        }
        state
    }

    fn chain(&self, state: &StateMap) -> HashSet<OwnedEventId> {
        let mut chain: HashSet<OwnedEventId> = state.values().cloned().collect();
        let fetch = |id: &EventId| self.events.get(id).cloned();
        chain.extend(dag::auth_chain(state.values().map(|id| &**id), fetch));
        chain
    }

    fn state_after_all(&self, ids: &[OwnedEventId]) -> StateMap {
        let mut states: Vec<StateMap> = Vec::new();
        for id in ids {
            let state = self.after(id);
            if !states.contains(&state) {
                states.push(state);
            }
        }
        if states.len() == 1 {
            return states.remove(0);
        }
        let forks = states.into_iter().map(|state| Fork { auth_chain: self.chain(&state), state }).collect();
        let fetch = |id: &EventId| self.events.get(id).cloned();
        let subgraph = |conflicted: &HashSet<OwnedEventId>| Some(dag::conflicted_subgraph(conflicted, fetch));
        dag::resolve(self.version, forks, |id| self.known(id), subgraph).unwrap()
    }

    fn add(&mut self, pdu: Pdu) {
        let id = pdu.owned_event_id().clone();
        let before = if pdu.prev_events().is_empty() {
            StateMap::new()
        } else {
            self.state_after_all(pdu.prev_events())
        };
        let state = |kind: &str, key: &str| {
            let id = before.get(&(kind.to_owned(), key.to_owned()))?;
            self.events.get(id).cloned()
        };
        if let dag::Verdict::Reject(_) = dag::judge(&pdu, |id| self.known(id), state, state) {
            self.rejected.insert(id.clone());
        }
        self.followed.extend(pdu.prev_events().iter().cloned());
        self.before.insert(id.clone(), before);
        self.events.insert(id.clone(), pdu);
        self.order.push(id);
    }

    fn ends(&self) -> Vec<OwnedEventId> {
        self.order.iter().filter(|id| !self.followed.contains(*id)).cloned().collect()
    }
}

/// Builds events of people on other servers.
struct Author {
    room_id: ruma::OwnedRoomId,
    keys: HashMap<String, ServerKey>,
    now: i64,
}

impl Author {
    fn event(
        &mut self,
        book: &Book,
        sender: &UserId,
        kind: &str,
        state_key: Option<&str>,
        content: &Value,
        prev_events: Vec<OwnedEventId>,
    ) -> Pdu {
        let before = book.state_after_all(&prev_events);
        let content = raw(content);
        let keys = dag::auth_types(book.version, sender, kind, state_key, &content).unwrap();
        let auth_events = keys.iter().filter_map(|key| before.get(key).cloned()).collect();
        let depth = prev_events.iter().map(|id| book.events[id].depth()).max().unwrap() + 1;
        self.now += 7;
        let draft = EventDraft {
            room_id: Some(self.room_id.clone()),
            sender: sender.to_owned(),
            kind: kind.to_owned(),
            state_key: state_key.map(ToOwned::to_owned),
            content,
            redacts: None,
            prev_events,
            auth_events,
            depth,
            origin_server_ts: self.now,
        };
        let server = sender.server_name().as_str();
        let seed = u8::try_from(server.len() + usize::from(server.as_bytes()[0])).unwrap_or(1);
        let key = self
            .keys
            .entry(server.to_owned())
            .or_insert_with(|| ServerKey::generate([seed; 32], "1").unwrap());
        let pdu = draft.sign(book.version, key).unwrap();
        // As it is read by those who get it.
        let (id, room_id) = (pdu.owned_event_id().clone(), self.room_id.clone());
        Pdu::from_stored(id, room_id, book.version, pdu.json()).unwrap()
    }
}

fn people() -> Vec<OwnedUserId> {
    let names =
        ["@owner:parvis.test", "@anna:one.test", "@bert:two.test", "@cleo:two.test", "@dora:three.test"];
    names.iter().map(|name| OwnedUserId::try_from(*name).unwrap()).collect()
}

/// Something that somebody does somewhere in the room, allowed or not.
fn act(dice: &mut Dice, book: &Book, author: &mut Author) -> Pdu {
    let people = people();
    let sender = &people[dice.roll(people.len())];
    let other = &people[1 + dice.roll(people.len() - 1)];
    let recent = &book.order[book.order.len().saturating_sub(6)..];
    let mut prev: Vec<OwnedEventId> = match dice.roll(4) {
        0 => book.ends().into_iter().take(3).collect(),
        1 => vec![recent[dice.roll(recent.len())].clone(), recent[dice.roll(recent.len())].clone()],
        _ => vec![recent[dice.roll(recent.len())].clone()],
    };
    prev.sort();
    prev.dedup();
    let member = |membership: &str| json!({ "membership": membership });
    let (kind, state_key, content) = match dice.roll(10) {
        0 | 1 => ("m.room.member", Some(sender.as_str()), member("join")),
        2 => ("m.room.member", Some(sender.as_str()), member("leave")),
        3 => ("m.room.member", Some(other.as_str()), member("ban")),
        4 => (
            "m.room.member",
            Some(other.as_str()),
            member(if dice.roll(2) == 0 { "leave" } else { "invite" }),
        ),
        5 => {
            let power = [0, 50, 99][dice.roll(3)];
            let mut users = BTreeMap::from([(other.as_str(), power)]);
            if !book.version.room_id_is_create_hash() {
                users.insert(people[0].as_str(), 100);
            }
            ("m.room.power_levels", Some(""), json!({ "users": users, "state_default": 50 }))
        }
        6 => {
            let rule = ["public", "invite"][dice.roll(2)];
            ("m.room.join_rules", Some(""), json!({ "join_rule": rule }))
        }
        7 | 8 => ("m.room.topic", Some(""), json!({ "topic": format!("{}", dice.roll(1_000)) })),
        _ => ("m.room.message", None, json!({ "body": "hello" })),
    };
    // The owner stays, so that there is somebody to bring the forks together.
    let is_owner = state_key == Some(people[0].as_str());
    let (kind, state_key) = if is_owner { ("m.room.message", None) } else { (kind, state_key) };
    author.event(book, sender, kind, state_key, &content, prev)
}

async fn stored_book(world: &World, room: RoomSn, version: RoomVersion) -> Book {
    let mut book = Book {
        version,
        events: HashMap::new(),
        rejected: HashSet::new(),
        before: HashMap::new(),
        order: Vec::new(),
        followed: HashSet::new(),
    };
    let head = world.store.head();
    let direction = parvis_rooms::Direction::Forward;
    let events =
        world.store.timeline(room, parvis_storage::Position::START, head, direction, 100).await.unwrap();
    events.iter().for_each(|event| book.add(event.pdu.clone()));
    book
}

async fn state_of(world: &World, root: StateRoot) -> StateMap {
    let events = world.store.state_events(root).await.unwrap();
    let entry = |pdu: &Pdu| {
        let key = (pdu.kind().to_owned(), pdu.state_key().unwrap().to_owned());
        (key, pdu.owned_event_id().clone())
    };
    events.iter().map(|event| entry(&event.pdu)).collect()
}

/// Gives all events to the room, in a random order, those that lack ancestors again later.
async fn deliver(world: &World, room: RoomSn, dice: &mut Dice, mut events: Vec<Pdu>) {
    let mut tries = 0;
    while !events.is_empty() {
        let pdu = events.swap_remove(dice.roll(events.len()));
        match world.rooms.take_in(room, &pdu, &StateGiven::new()).await {
            Ok(taken) => assert!(taken.is_new),
            Err(TakeInError::Missing { .. }) => events.push(pdu),
            Err(error) => panic!("{error}"),
        }
        tries += 1;
        assert!(tries < 20_000, "the events do not come in");
    }
}

async fn room_of(version: RoomVersion) -> (World, ruma::OwnedRoomId, RoomSn) {
    let world = world_with(parvis_policy::encryption::EncryptionPolicy::default(), version).await;
    let owner = world.person("owner").await;
    let wanted = CreateRoom { preset: Some(Preset::PublicChat), ..CreateRoom::default() };
    let room_id = world.room(&owner, wanted).await;
    let room = world.rooms.find(&room_id).await.unwrap();
    (world, room_id, room)
}

async fn random_room_agrees_with_the_book(version: RoomVersion, seed: u64) {
    let mut dice = Dice(seed);
    let (world, room_id, room) = room_of(version).await;
    let mut book = stored_book(&world, room, version).await;
    let mut author = Author { room_id: room_id.clone(), keys: HashMap::new(), now: 1_800_000_000_000 };
    let known = book.order.len();
    for _ in 0..60 {
        let pdu = act(&mut dice, &book, &mut author);
        if !book.events.contains_key(pdu.event_id()) {
            book.add(pdu);
        }
    }
    while book.ends().len() > 20 {
        let ends = book.ends().into_iter().take(20).collect();
        let merge = author.event(&book, &people()[0], "m.room.message", None, &json!({}), ends);
        book.add(merge);
    }
    let ends = book.ends();
    let last =
        author.event(&book, &people()[0], "m.room.message", None, &json!({ "body": "together" }), ends);
    book.add(last.clone());
    let events = book.order[known..].iter().map(|id| book.events[id].clone()).collect();
    deliver(&world, room, &mut dice, events).await;
    check(&world, &room_id, room, &book, &last).await;
}

async fn check(world: &World, room_id: &RoomId, room: RoomSn, book: &Book, last: &Pdu) {
    let mut forks = 0;
    for id in &book.order {
        let stored = world.store.event_by_id(id).await.unwrap().unwrap();
        assert_eq!(state_of(world, stored.state_root).await, book.before[id], "the state before {id}");
        let rejected = stored.flags.contains(parvis_storage::EventFlags::REJECTED);
        assert_eq!(rejected, book.rejected.contains(id), "whether {id} is rejected");
        forks += usize::from(stored.pdu.prev_events().len() > 1);
    }
    assert!(forks > 0, "nothing has forked");
    let head = world.store.room_head(room).await.unwrap().unwrap();
    let heads = world.store.events(&head.heads).await.unwrap();
    assert_eq!(heads.iter().map(|head| head.pdu.event_id()).collect::<Vec<_>>(), [last.event_id()]);
    let state = book.after(last.event_id());
    assert_eq!(state_of(world, head.state_root).await, state);
    for user_id in people() {
        let user = world.store.intern_user(&user_id).await.unwrap();
        let event = state.get(&("m.room.member".to_owned(), user_id.to_string())).map(|id| &book.events[id]);
        let expected = event.and_then(Pdu::membership).unwrap_or(Membership::Leave);
        let found = world.store.member(user, room).await.unwrap();
        assert_eq!(found.map_or(Membership::Leave, |member| member.membership), expected, "{user_id}");
        let joined = world.store.members_of_room(room).await.unwrap().is_joined(user);
        assert_eq!(joined, expected == Membership::Join, "{user_id}");
    }
    let owner = world.person("owner").await;
    world.say(&owner, room_id, "and on", "1").await.unwrap();
}

async fn random_rooms_agree(version: RoomVersion) {
    for seed in 1..=6 {
        random_room_agrees_with_the_book(version, seed).await;
    }
}

#[tokio::test]
async fn forked_rooms_of_version_6_agree_with_whole_resolution() {
    random_rooms_agree(RoomVersion::V6).await;
}

#[tokio::test]
async fn forked_rooms_of_version_10_agree_with_whole_resolution() {
    random_rooms_agree(RoomVersion::V10).await;
}

#[tokio::test]
async fn forked_rooms_of_version_11_agree_with_whole_resolution() {
    random_rooms_agree(RoomVersion::V11).await;
}

#[tokio::test]
async fn forked_rooms_of_version_12_agree_with_whole_resolution() {
    random_rooms_agree(RoomVersion::V12).await;
}

/// A room with Anna of another server in it.
async fn with_anna() -> (World, RoomSn, Book, Author) {
    with_anna_in(RoomVersion::V11).await
}

async fn with_anna_in(version: RoomVersion) -> (World, RoomSn, Book, Author) {
    let (world, room_id, room) = room_of(version).await;
    let mut book = stored_book(&world, room, version).await;
    let mut author = Author { room_id, keys: HashMap::new(), now: 1_800_000_000_000 };
    let anna = people().remove(1);
    let join = json!({ "membership": "join" });
    let ends = book.ends();
    let pdu = author.event(&book, &anna, "m.room.member", Some(anna.as_str()), &join, ends);
    book.add(pdu.clone());
    let taken = world.rooms.take_in(room, &pdu, &StateGiven::new()).await.unwrap();
    assert_eq!(taken.verdict, Verdict::Accepted);
    (world, room, book, author)
}

/// Anna, who was away, changes her name again and again, each event authorised by the one before. Here the room has
/// become one for the invited.
#[tokio::test]
async fn long_chain_beside_a_fork_agrees_with_whole_resolution() {
    for version in [RoomVersion::V11, RoomVersion::V12] {
        let (world, room, mut book, mut author) = with_anna_in(version).await;
        let (owner, anna) = (people().remove(0), people().remove(1));
        let before = book.ends();
        let rule = json!({ "join_rule": "invite" });
        let rule = author.event(&book, &owner, "m.room.join_rules", Some(""), &rule, before.clone());
        book.add(rule.clone());
        world.rooms.take_in(room, &rule, &StateGiven::new()).await.unwrap();
        let mut end = before;
        for number in 0..CHAIN {
            let name = json!({ "membership": "join", "displayname": format!("Anna {number}") });
            let pdu = author.event(&book, &anna, "m.room.member", Some(anna.as_str()), &name, end);
            book.add(pdu.clone());
            end = vec![pdu.owned_event_id().clone()];
            let taken = world.rooms.take_in(room, &pdu, &StateGiven::new()).await.unwrap();
            assert_eq!(taken.verdict, Verdict::Accepted);
        }
        let head = world.store.room_head(room).await.unwrap().unwrap();
        assert_eq!(head.heads.len(), 2);
        assert_eq!(state_of(&world, head.state_root).await, book.state_after_all(&book.ends()));
    }
}

#[tokio::test]
async fn event_that_comes_twice_enters_once() {
    let (world, room, book, _) = with_anna().await;
    let join = book.events[book.order.last().unwrap()].clone();
    let head = world.store.head();
    let again = world.rooms.take_in(room, &join, &StateGiven::new()).await.unwrap();
    assert_eq!((again.verdict, again.is_new), (Verdict::Accepted, false));
    assert_eq!(world.store.head(), head, "nothing new is announced");
}

#[tokio::test]
async fn soft_failed_event_is_kept_unseen_and_not_followed() {
    let (world, room, mut book, mut author) = with_anna().await;
    let (owner, anna) = (people().remove(0), people().remove(1));
    let before_ban = book.ends();
    let content = json!({ "membership": "ban" });
    let ban = author.event(&book, &owner, "m.room.member", Some(anna.as_str()), &content, before_ban.clone());
    book.add(ban.clone());
    world.rooms.take_in(room, &ban, &StateGiven::new()).await.unwrap();
    // Anna pretends not to have seen it.
    let evasion =
        author.event(&book, &anna, "m.room.message", None, &json!({ "body": "still here" }), before_ban);
    let head = world.store.head();
    let taken = world.rooms.take_in(room, &evasion, &StateGiven::new()).await.unwrap();
    assert!(matches!(taken.verdict, Verdict::SoftFailed(_)), "{:?}", taken.verdict);
    assert_eq!(world.store.head(), head, "nobody is told");
    let stored = world.store.event_by_id(evasion.event_id()).await.unwrap().unwrap();
    assert!(!stored.is_shown());
    let heads = world.store.room_head(room).await.unwrap().unwrap().heads.clone();
    assert!(!heads.contains(&stored.sn));
    assert!(world.rooms.event(&author.room_id, evasion.event_id()).await.is_err());
}

#[tokio::test]
async fn child_of_a_rejected_event_is_judged_for_itself() {
    let (world, room, mut book, mut author) = with_anna().await;
    let anna = people().remove(1);
    let ends = book.ends();
    let levels = json!({ "users": { anna.as_str(): 100 } });
    let coup = author.event(&book, &anna, "m.room.power_levels", Some(""), &levels, ends);
    book.add(coup.clone());
    let word =
        author.event(&book, &anna, "m.room.message", None, &json!({}), vec![coup.owned_event_id().clone()]);
    let early = world.rooms.take_in(room, &word, &StateGiven::new()).await;
    assert!(matches!(early, Err(TakeInError::Missing { .. })));
    let taken = world.rooms.take_in(room, &coup, &StateGiven::new()).await.unwrap();
    assert!(matches!(taken.verdict, Verdict::Rejected(_)));
    let taken = world.rooms.take_in(room, &word, &StateGiven::new()).await.unwrap();
    assert_eq!(taken.verdict, Verdict::Accepted);
    let head = world.store.room_head(room).await.unwrap().unwrap();
    assert_eq!(head.heads, [taken.event], "the rejected event and what it followed are no ends any more");
    assert_eq!(state_of(&world, head.state_root).await, book.before[coup.event_id()]);
}

#[tokio::test]
async fn redaction_that_comes_before_its_target_waits_for_it() {
    let (world, room, mut book, mut author) = with_anna().await;
    let anna = people().remove(1);
    let ends = book.ends();
    let word = author.event(&book, &anna, "m.room.message", None, &json!({ "body": "oops" }), ends.clone());
    let content = json!({ "redacts": word.event_id() });
    let redaction = author.event(&book, &anna, "m.room.redaction", None, &content, ends);
    let is_idle = async |event: &Pdu| {
        let stored = world.store.event_by_id(event.event_id()).await.unwrap().unwrap();
        assert!(stored.is_shown(), "it belongs to the room");
        stored.flags.contains(EventFlags::IDLE)
    };
    world.rooms.take_in(room, &redaction, &StateGiven::new()).await.unwrap();
    assert!(is_idle(&redaction).await, "clients are not shown what has no effect yet");
    world.rooms.take_in(room, &word, &StateGiven::new()).await.unwrap();
    assert!(!is_idle(&redaction).await);
    let stored = world.store.event_by_id(word.event_id()).await.unwrap().unwrap();
    assert!(stored.redacted_by.is_some());
    assert_eq!(stored.pdu.content_json(), "{}");
    book.add(word);
}

#[tokio::test]
async fn redaction_that_is_not_the_senders_to_make_has_no_effect_and_is_not_shown() {
    let (world, room, book, mut author) = with_anna().await;
    let anna = people().remove(1);
    let owner = world.person("owner").await;
    let word = world.say(&owner, &author.room_id, "stays", "1").await.unwrap();
    let content = json!({ "redacts": word });
    let redaction = author.event(&book, &anna, "m.room.redaction", None, &content, book.ends());
    world.rooms.take_in(room, &redaction, &StateGiven::new()).await.unwrap();
    let stored = world.store.event_by_id(redaction.event_id()).await.unwrap().unwrap();
    assert!(stored.flags.contains(EventFlags::IDLE));
    let word = world.store.event_by_id(&word).await.unwrap().unwrap();
    assert_eq!((word.redacted_by, word.pdu.content_json().contains("stays")), (None, true));
}

#[tokio::test]
async fn local_event_brings_the_forks_together() {
    let (world, room, book, mut author) = with_anna().await;
    let anna = people().remove(1);
    let ends = book.ends();
    for body in ["one", "two", "three"] {
        let word = author.event(&book, &anna, "m.room.message", None, &json!({ "body": body }), ends.clone());
        world.rooms.take_in(room, &word, &StateGiven::new()).await.unwrap();
    }
    assert_eq!(world.store.room_head(room).await.unwrap().unwrap().heads.len(), 3);
    let owner = world.person("owner").await;
    let said = world.say(&owner, &author.room_id, "so be it", "1").await.unwrap();
    let stored = world.store.event_by_id(&said).await.unwrap().unwrap();
    assert_eq!(stored.pdu.prev_events().len(), 3);
    assert_eq!(world.store.room_head(room).await.unwrap().unwrap().heads, [stored.sn]);
}

#[tokio::test]
async fn more_ends_than_an_event_may_name_come_together_step_by_step() {
    let (world, room, book, mut author) = with_anna().await;
    let anna = people().remove(1);
    let ends = book.ends();
    for number in 0..25 {
        let content = json!({ "topic": format!("{number}") });
        let topic = author.event(&book, &anna, "m.room.message", None, &content, ends.clone());
        world.rooms.take_in(room, &topic, &StateGiven::new()).await.unwrap();
    }
    let owner = world.person("owner").await;
    let said = world.say(&owner, &author.room_id, "some", "1").await.unwrap();
    assert_eq!(world.store.event_by_id(&said).await.unwrap().unwrap().pdu.prev_events().len(), 20);
    assert_eq!(world.store.room_head(room).await.unwrap().unwrap().heads.len(), 6);
    let said = world.say(&owner, &author.room_id, "all", "2").await.unwrap();
    let stored = world.store.event_by_id(&said).await.unwrap().unwrap();
    assert_eq!(world.store.room_head(room).await.unwrap().unwrap().heads, [stored.sn]);
}
