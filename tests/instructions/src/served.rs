//! Requests, through the whole router of a homeserver.

use std::time::Duration;

use bytes::Bytes;
use parvis_testkit::{Answer, Client};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{counted::Script, world::World};

const SLIDING: &str = "unstable/org.matrix.simplified_msc3575/sync";
const MESSAGE: &str = "A message of some eighty letters, about what people write to one another at work.";
/// How often those who read what was committed are let on, so that what they do is counted too.
const TURNS: usize = 16;
/// How long is waited, in real time and uncounted, for what has begun to come to rest.
const SETTLE: Duration = Duration::from_millis(500);
/// The same after the start, and once more as soon as the search has looked at what there is, which takes longer on a
/// busy machine.
const START: Duration = Duration::from_secs(3);
/// How often it is seen whether the search has.
const LOOKS: u32 = 240;

/// Walks the paths. What comes back is looked into before the count; during it, its status and size must do.
pub(crate) fn walk(script: &mut Script, world: &World) {
    let (few, many) = (world.client(&world.cast.few), world.client(&world.cast.many));
    rest(world, START);
    assert!((0..LOOKS).any(|_| {
        rest(world, SETTLE);
        world.is_searched()
    }));
    rest(world, START);
    script.count("GET /versions", 20, |_| drop(fetch(world, &few, "/_matrix/client/versions")));
    empty_polls(script, world, &few, "10");
    empty_polls(script, world, &many, "300");
    let past = format!("v3/rooms/{}/messages?dir=b&limit=100", world.cast.past);
    assert_eq!(get(world, &few, &past)["chunk"].as_array().unwrap().len(), 100);
    script.count("a page of 100 messages", 5, |_| drop(fetch(world, &few, &past)));
    let first = "v3/sync?timeout=0";
    assert_eq!(get(world, &few, first)["rooms"]["join"].as_object().unwrap().len(), 10);
    script.count("first sync of 10 rooms", 5, |_| drop(fetch(world, &few, first)));
    let quiet = &world.cast.quiet;
    script.count("PUT send", 10, |number| {
        world.runtime.block_on(async {
            send(&many, quiet, "quiet", number).await;
            let_others_on().await;
        });
    });
    deliveries(script, world, &many);
    let join = format!("v3/rooms/{}/join", world.cast.crowded);
    let newcomers: Vec<Client> = world.cast.newcomers.iter().map(|token| world.client(token)).collect();
    // With the first request of a device is written from where it was seen, and a while after a message the index of the
    // search, and how far servers and phones were told: not along with the joins.
    for newcomer in &newcomers {
        get(world, newcomer, "v3/account/whoami");
    }
    rest(world, Duration::from_secs(2));
    for newcomer in &newcomers[..4] {
        world.runtime.block_on(async { expect(newcomer.post(&join, json!({})).await) });
    }
    script.count("join a room", 2, |number| {
        world.runtime.block_on(async {
            expect(newcomers[4 + number as usize].post(&join, json!({})).await);
            let_others_on().await;
        });
    });
    script.count("create a room", 2, |number| {
        let body = json!({ "preset": "private_chat", "name": format!("New room number {number}") });
        world.runtime.block_on(async {
            expect(many.post("v3/createRoom", body).await);
            let_others_on().await;
        });
    });
}

/// Lets what has begun come to rest.
fn rest(world: &World, time: Duration) {
    world.runtime.block_on(async { tokio::time::sleep(time).await });
}

fn get(world: &World, client: &Client, path: &str) -> Value {
    world.runtime.block_on(async { client.get(path).await.ok() })
}

fn fetch(world: &World, client: &Client, path: &str) -> Bytes {
    world.runtime.block_on(async { expect(client.get(path).await) })
}

/// The body of an answer that must be good.
fn expect(answer: Answer) -> Bytes {
    assert_eq!(answer.status, 200, "{answer}");
    answer.body
}

/// A text that an answer holds under this key, found without reading all of it.
fn text_in(body: &Bytes, key: &str) -> String {
    let body = std::str::from_utf8(body).unwrap();
    let (_, behind) = body.split_once(&format!("\"{key}\":\"")).unwrap();
    behind.split_once('"').unwrap().0.to_owned()
}

async fn let_others_on() {
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
}

async fn send(client: &Client, room: &str, purpose: &str, number: u32) {
    let path = format!("v3/rooms/{room}/send/m.room.message/{purpose}-{number}");
    expect(client.put(&path, json!({ "msgtype": "m.text", "body": MESSAGE })).await);
}

/// Polls, classic and sliding, that find nothing new.
fn empty_polls(script: &mut Script, world: &World, client: &Client, rooms: &str) {
    let since = text_in(&fetch(world, client, "v3/sync?timeout=0"), "next_batch");
    let path = format!("v3/sync?timeout=0&since={since}");
    assert_eq!(get(world, client, &path)["rooms"], json!({}));
    script.count(&format!("empty sync, {rooms} rooms"), 10, |_| drop(fetch(world, client, &path)));
    let window = json!({ "ranges": [[0, 19]], "timeline_limit": 1, "required_state": [["m.room.name", ""]] });
    let body = json!({ "lists": { "all": window } });
    let ask = |pos: &str| {
        let path = format!("{SLIDING}?timeout=0&pos={pos}");
        world.runtime.block_on(async { expect(client.post(&path, body.clone()).await) })
    };
    let mut pos = text_in(&ask(""), "pos");
    let answer: Value = serde_json::from_slice(&ask(&pos)).unwrap();
    assert!(answer["rooms"].as_object().is_none_or(serde_json::Map::is_empty), "{answer}");
    pos = answer["pos"].as_str().unwrap().to_owned();
    script.count(&format!("empty sliding sync, {rooms} rooms"), 10, |_| pos = text_in(&ask(&pos), "pos"));
}

/// A message that reaches everybody who waits for it, and their next polls.
fn deliveries(script: &mut Script, world: &World, sender: &Client) {
    let (told, mut telling) = mpsc::unbounded_channel();
    let (is_ready, mut ready) = mpsc::unbounded_channel();
    let count = world.cast.listeners.len();
    for token in &world.cast.listeners {
        world.runtime.spawn(listen(world.client(token), is_ready.clone(), told.clone()));
    }
    drop(is_ready);
    let mut deliver = |number: u32| {
        world.runtime.block_on(async {
            send(sender, &world.cast.crowded, "crowd", number).await;
            for _ in 0..count {
                assert!(telling.recv().await.unwrap(), "somebody was told something else");
            }
            let_others_on().await;
        });
    };
    world.runtime.block_on(async { while ready.recv().await.is_some() {} });
    rest(world, SETTLE);
    deliver(0);
    rest(world, SETTLE);
    script.at_once("deliver a message, for each who waits", u32::try_from(count).unwrap(), || deliver(1));
}

/// Waits for news again and again, and tells whether they are the message.
async fn listen(client: Client, ready: mpsc::UnboundedSender<()>, told: mpsc::UnboundedSender<bool>) {
    let mut since = text_in(&expect(client.get("v3/sync?timeout=0").await), "next_batch");
    drop(ready);
    loop {
        let news = expect(client.get(&format!("v3/sync?timeout=30000&since={since}")).await);
        since = text_in(&news, "next_batch");
        let is_message = news.windows(MESSAGE.len()).any(|part| part == MESSAGE.as_bytes());
        if told.send(is_message).is_err() {
            return;
        }
    }
}
