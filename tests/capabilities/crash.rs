//! The server is killed while sixteen clients send, again and again. What it has acknowledged is there once, and
//! nobody misses anything.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod one_time_keys;
mod whispers;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parvis_ambient::{Chance as _, SeededChance, SystemChance};
use parvis_testkit::{Engine, Follower, Program, User, timeline};
use serde_json::{Value, json};

const SENDERS: usize = 16;
const ROUNDS: usize = 10;
/// The shortest and the longest life of the server, in milliseconds, once everyone sends.
const LIFE_MS: (u64, u64) = (100, 1_500);
/// No sender sends more in one round.
const MOST_PER_ROUND: usize = 400;

/// One who sends, and what became of it.
struct Sender {
    user: User,
    /// Acknowledged: the text, its transaction id and its event id, in the order of sending.
    acknowledged: Vec<Message>,
    /// Sent, without an answer.
    unanswered: Option<(String, String)>,
}

#[derive(Clone, Debug)]
struct Message {
    text: String,
    transaction: String,
    event: String,
}

impl Sender {
    async fn send(&self, room: &str, transaction: &str, text: &str) -> Option<String> {
        let content = json!({ "msgtype": "m.text", "body": text });
        let answer = self.user.try_send_event(room, "m.room.message", transaction, &content).await.ok()?;
        Some(answer.ok()["event_id"].as_str().unwrap().to_owned())
    }

    /// Sends until the server is gone.
    async fn send_until_the_end(&mut self, room: &str, round: usize) {
        for number in 0..MOST_PER_ROUND {
            let transaction = format!("r{round}n{number}");
            let text = format!("{} {round} {number}", self.user.id);
            match self.send(room, &transaction, &text).await {
                Some(event) => self.acknowledged.push(Message { text, transaction, event }),
                None => {
                    self.unanswered = Some((transaction, text));
                    return;
                }
            }
        }
    }

    /// Sends again what was not answered; and, under the same transaction id, what was.
    async fn retry(&mut self, room: &str) {
        if let Some(last) = self.acknowledged.last() {
            let again = self.send(room, &last.transaction, &last.text).await;
            assert_eq!(again.as_ref(), Some(&last.event), "{last:?} was sent anew");
        }
        if let Some((transaction, text)) = self.unanswered.take() {
            let event = self.send(room, &transaction, &text).await.unwrap();
            let again = self.send(room, &transaction, &text).await.unwrap();
            assert_eq!(event, again, "{text} was sent anew");
            self.acknowledged.push(Message { text, transaction, event });
        }
    }
}

/// One who syncs all the time, and what they have seen.
struct Reader {
    follower: Follower,
    room: String,
    known: BTreeSet<String>,
    seen: Vec<Value>,
}

impl Reader {
    /// Syncs until told to stop, or until the server is gone.
    async fn read(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) && self.read_once(500).await {}
    }

    /// One sync, with whatever the server left out of it. Tells whether the server answered.
    async fn read_once(&mut self, wait_ms: u32) -> bool {
        let before = self.follower.since.clone();
        let Some(sync) = self.follower.try_wait(wait_ms).await else { return false };
        let known = |event: &Value| self.known.contains(id(event));
        let Some(events) = self.follower.try_whole_timeline(&sync, &self.room, known).await else {
            // The server went away before the gap was filled: the next sync goes on from before it.
            self.follower.since = before;
            return false;
        };
        for event in events {
            if self.known.insert(id(&event).to_owned()) {
                self.seen.push(event);
            } else {
                panic!("{event} was synced twice");
            }
        }
        true
    }
}

fn id(event: &Value) -> &str {
    event["event_id"].as_str().unwrap()
}

/// How often each text occurs among events, and under which ids.
fn texts(events: &[Value]) -> HashMap<String, Vec<String>> {
    let mut texts: HashMap<String, Vec<String>> = HashMap::new();
    for event in events.iter().filter(|event| event["type"] == "m.room.message") {
        let text = event["content"]["body"].as_str().unwrap().to_owned();
        texts.entry(text).or_default().push(id(event).to_owned());
    }
    texts
}

/// Each acknowledged message is there once, under the id that was told, in the order of its sender; and nothing
/// else is.
fn check(what: &str, senders: &[Sender], events: &[Value]) {
    let found = texts(events);
    let mut acknowledged = 0;
    for message in senders.iter().flat_map(|sender| &sender.acknowledged) {
        acknowledged += 1;
        let ids = found.get(&message.text).map_or(&[][..], Vec::as_slice);
        assert_eq!(ids, std::slice::from_ref(&message.event), "{what}: {message:?}");
    }
    assert_eq!(found.len(), acknowledged, "{what} has messages that nobody sent");
    let place: BTreeMap<&str, usize> =
        events.iter().enumerate().map(|(place, event)| (id(event), place)).collect();
    for sender in senders {
        let places: Vec<usize> =
            sender.acknowledged.iter().map(|message| place[message.event.as_str()]).collect();
        assert!(places.is_sorted(), "{what}: the messages of {} are out of order", sender.user.id);
    }
}

/// The whole history of the room, oldest first.
async fn history(user: &User, room: &str) -> Vec<Value> {
    let mut events = Vec::new();
    let mut from = String::new();
    for _ in 0..10_000 {
        let page = user.messages(room, &format!("dir=b&limit=200{from}")).await;
        events.extend(page["chunk"].as_array().unwrap().iter().cloned());
        match page["end"].as_str() {
            Some(end) => from = format!("&from={end}"),
            None => break,
        }
    }
    events.reverse();
    events
}

/// The seed of this run: a new one, or that of a run to be seen again.
#[expect(clippy::disallowed_methods, reason = "tests are configured by the environment")]
fn seed() -> u64 {
    let given = std::env::var("PARVIS_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    given.unwrap_or_else(|| SystemChance.number())
}

async fn kill_again_and_again(engine: &Engine) {
    let seed = seed();
    println!("{engine}: PARVIS_TEST_SEED={seed}");
    let chance = SeededChance::new(seed);
    let mut program = Program::start(engine, "").await;
    let mut senders = Vec::new();
    for number in 0..SENDERS {
        let user = program.user(&format!("sender{number}")).await;
        senders.push(Sender { user, acknowledged: Vec::new(), unanswered: None });
    }
    let room = senders[0].user.create_room(json!({ "preset": "public_chat" })).await;
    for sender in &senders[1..] {
        sender.user.join(&room).await;
    }
    let user = program.user("reader").await;
    user.join(&room).await;
    let mut follower = user.follow();
    let joined = follower.now().await;
    let known = timeline(&joined, &room).iter().map(|event| id(event).to_owned()).collect();
    let first_token = follower.since.clone();
    let mut reader = Reader { follower, room: room.clone(), known, seen: Vec::new() };

    for round in 0..ROUNDS {
        let life = LIFE_MS.0 + chance.number() % (LIFE_MS.1 - LIFE_MS.0);
        let stop = Arc::new(AtomicBool::new(false));
        let reading = tokio::spawn({
            let stop = Arc::clone(&stop);
            async move {
                reader.read(&stop).await;
                reader
            }
        });
        let sending: Vec<_> = senders
            .into_iter()
            .map(|mut sender| {
                let room = room.clone();
                tokio::spawn(async move {
                    sender.send_until_the_end(&room, round).await;
                    sender
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(life)).await;
        program.kill();
        stop.store(true, Ordering::Relaxed);
        reader = reading.await.unwrap();
        senders = Vec::new();
        for sender in sending {
            senders.push(sender.await.unwrap());
        }
        let acknowledged: usize = senders.iter().map(|sender| sender.acknowledged.len()).sum();
        let unanswered = senders.iter().filter(|sender| sender.unanswered.is_some()).count();
        println!(
            "round {round}: killed after {life} ms; {acknowledged} acknowledged so far, {unanswered} unanswered"
        );

        program.run().await;
        let newest = user.messages(&room, "dir=b&limit=100").await;
        let written = texts(newest["chunk"].as_array().unwrap());
        let unanswered = senders.iter().filter_map(|sender| sender.unanswered.as_ref());
        let written = unanswered.filter(|(_, text)| written.contains_key(text)).count();
        println!("         of the unanswered, {written} had been written");
        for sender in &mut senders {
            sender.retry(&room).await;
        }
    }

    let acknowledged: usize = senders.iter().map(|sender| sender.acknowledged.len()).sum();
    assert!(acknowledged > SENDERS * ROUNDS, "too little was sent to say anything: {acknowledged}");
    for _ in 0..1_000 {
        if texts(&reader.seen).len() >= acknowledged {
            break;
        }
        assert!(reader.read_once(2_000).await, "{}", program.log());
    }
    check("what was synced", &senders, &reader.seen);
    check("the history", &senders, &history(&user, &room).await);
    let mut from_the_first = user.follow();
    from_the_first.since = first_token;
    let sync = from_the_first.now().await;
    let known = |event: &Value| !reader.known.contains(id(event));
    let since = from_the_first.whole_timeline(&sync, &room, known).await;
    assert!(texts(&since).len() >= acknowledged, "the first token does not lead to everything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_messages_survive_kill_on_sqlite() {
    kill_again_and_again(&Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_messages_survive_kill_on_postgres() {
    for engine in Engine::at_hand().into_iter().filter(|engine| *engine != Engine::Sqlite) {
        kill_again_and_again(&engine).await;
    }
}
