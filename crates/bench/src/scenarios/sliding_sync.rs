//! Sliding sync as apps on phones ask for it: a list of rooms of which the newest twenty are shown. What opening
//! the app costs, what a message costs that wakes it, and what finding out costs that nothing is new; for accounts
//! in few and in many rooms.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde_json::json;

use super::{Ground, Inhabitant, TEXT, WARM_UP};
use crate::{
    clock,
    connection::Failure,
    load::Worker,
    matrix::{self, Account, Client},
    measure::{Meter, Name, Outcome, Samples},
    scan,
};

/// Connections that poll at the same time. They belong to one account: what is measured is the account's rooms.
const POLLERS: usize = 8;
/// How long a poll waits for a message, in milliseconds.
const POLL_MS: usize = 30_000;
/// Most messages that wake an app.
const WAKE_UPS: usize = 300;
/// How long a poll that is sent may take to arrive, before the message that shall wake it is sent.
const ARRIVAL: Duration = Duration::from_millis(20);

/// What an app shows of a room on its list.
const STATE: [[&str; 2]; 9] = [
    ["m.room.name", ""],
    ["m.room.encryption", ""],
    ["m.room.member", "$LAZY"],
    ["m.room.member", "$ME"],
    ["m.room.topic", ""],
    ["m.room.avatar", ""],
    ["m.room.canonical_alias", ""],
    ["m.room.power_levels", ""],
    ["m.room.create", ""],
];

/// The body of a request for the twenty newest rooms, as the app sends it each time.
fn request(connection: &str) -> Bytes {
    matrix::serialised(&json!({
        "conn_id": connection,
        "lists": { "all_rooms": {
            "ranges": [[0, 19]], "timeline_limit": 1, "required_state": STATE, "filters": {},
        } },
        "extensions": {
            "account_data": { "enabled": true },
            "receipts": { "enabled": true, "rooms": ["*"] },
            "typing": { "enabled": true },
        },
    }))
}

/// An app that is opened, again and again, each time as if it knew nothing.
struct Newcomer {
    client: Client,
    body: Bytes,
    bytes: usize,
}

impl Worker for Newcomer {
    async fn step(&mut self, _: usize) -> Result<(), Failure> {
        let (answer, _) = self.client.slide("timeout=0", &self.body).await?;
        self.bytes = answer.len();
        Ok(())
    }
}

/// An app that asks whether something is new, and does not wait.
struct Poller {
    client: Client,
    body: Bytes,
    pos: String,
}

impl Poller {
    async fn new(mut client: Client, connection: &str) -> Result<Self, Failure> {
        let body = request(connection);
        let (_, pos) = client.slide("timeout=0", &body).await?;
        Ok(Self { client, body, pos })
    }

    /// One request; the answer's body.
    async fn ask(&mut self, timeout: usize) -> Result<Bytes, Failure> {
        let query = format!("timeout={timeout}&pos={}", matrix::encoded(&self.pos));
        let (answer, pos) = self.client.slide(&query, &self.body).await?;
        self.pos = pos;
        Ok(answer)
    }
}

impl Worker for Poller {
    async fn step(&mut self, _: usize) -> Result<(), Failure> {
        self.ask(0).await.map(drop)
    }
}

/// An app that waits, and somebody who writes into one of its rooms.
struct Woken {
    poller: Poller,
    sender: Client,
    room: String,
    sent: usize,
}

impl Woken {
    /// One message; the time from the start of its sending until the app has the whole answer with it in it.
    async fn message(&mut self) -> Result<Duration, Failure> {
        self.sent += 1;
        let text = format!("{TEXT} {}", self.sent);
        let (body, txn_id) = (matrix::text_message(&text), format!("wake{}", self.sent));
        let send = async {
            tokio::time::sleep(ARRIVAL).await;
            let began = clock::now();
            self.sender.send(&self.room, &txn_id, &body).await.map(|()| began)
        };
        let (arrived, began) = tokio::join!(wake(&mut self.poller, &text), send);
        Ok(arrived?.duration_since(began?))
    }
}

/// Waits until the text has come; what else comes before it is read and passed over.
async fn wake(poller: &mut Poller, text: &str) -> Result<Instant, Failure> {
    let began = clock::now();
    while clock::now().duration_since(began) < Duration::from_secs(60) {
        let answer = poller.ask(POLL_MS).await?;
        if scan::find(&answer, text.as_bytes()).is_some() {
            return Ok(clock::now());
        }
    }
    Err(Failure::Unexpected("a message did not come within a minute".to_owned()))
}

pub(super) async fn measure(ground: &mut Ground) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    for rooms in ground.sizes.sliding_rooms.clone() {
        let user = ground.inhabitant(rooms).await?;
        outcomes.push(first(ground, &user.account, rooms).await?);
        outcomes.push(wake_ups(ground, &user, rooms).await?);
        outcomes.push(polls(ground, &user.account, rooms).await?);
    }
    Ok(outcomes)
}

fn name(what: &str, rooms: usize, unit: &'static str) -> Name {
    Name { scenario: "sliding-sync", shape: format!("{what}, {rooms} rooms"), unit }
}

async fn first(ground: &Ground, user: &Arc<Account>, rooms: usize) -> Result<Outcome, Failure> {
    let mut newcomer = Newcomer { client: ground.client(user), body: request("first"), bytes: 0 };
    let began = clock::now();
    newcomer.step(0).await?;
    let first_ms = clock::now().duration_since(began).as_secs_f64() * 1000.0;
    let answer_kib = newcomer.bytes as f64 / 1024.0;
    let bound = ground.bound(ground.sizes.initial_syncs);
    let name = name("first window", rooms, "syncs");
    let mut outcome = ground.closed_loop_cold(name, vec![newcomer], bound).await;
    outcome.facts.insert("first_ms".to_owned(), first_ms);
    outcome.facts.insert("answer_kib".to_owned(), answer_kib);
    Ok(outcome)
}

async fn wake_ups(ground: &Ground, user: &Inhabitant, rooms: usize) -> Result<Outcome, Failure> {
    let mut woken = Woken {
        poller: Poller::new(ground.client(&user.account), "woken").await?,
        sender: ground.client(&user.account),
        room: matrix::send_path(&user.room_id),
        sent: 0,
    };
    for _ in 0..WARM_UP {
        woken.message().await?;
    }
    let meter = Meter::start(&ground.watch).await;
    let (began, mut samples) = (clock::now(), Samples::default());
    for _ in 0..WAKE_UPS.min(ground.sizes.sends) {
        match woken.message().await {
            Ok(latency) => samples.succeeded(latency),
            Err(failure) => samples.failed(&failure),
        }
        if clock::now().duration_since(began) > ground.sizes.time {
            break;
        }
    }
    let active = clock::now().duration_since(began);
    Ok(meter.finish(name("wake-up", rooms, "messages"), samples, active).await)
}

async fn polls(ground: &Ground, user: &Arc<Account>, rooms: usize) -> Result<Outcome, Failure> {
    let mut pollers = Vec::new();
    for n in 0..POLLERS {
        pollers.push(Poller::new(ground.client(user), &format!("poll{n}")).await?);
    }
    let bound = ground.bound(ground.sizes.requests);
    Ok(ground.closed_loop(name("nothing new", rooms, "syncs"), pollers, bound).await)
}
