//! How well and how fast messages are found: a room full of generated French, German, Italian and English sentences,
//! questions whose answers are known, and a homeserver on each engine that is asked them by HTTP, as clients do.
//!
//! Messages are written straight into the store, since how fast they are sent is measured elsewhere. The index is
//! then filled by the homeserver, as it is after an update.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement that a person runs and reads")]
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

mod corpus;
mod room;
mod table;
mod vocabulary;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Parser;
use parvis_storage::{DatabaseSettings, Store, StoreSettings, fresh_schema};
use parvis_testkit::{Engine, Server, User};
use serde_json::{Value, json};

use crate::{
    corpus::{Corpus, Question},
    table::{Asked, Measured},
};

/// How long the filling may take.
const LONGEST_FILLING: Duration = Duration::from_secs(3_600);
/// How many results a page has.
const PAGE: usize = 100;

/// How well and how fast messages are found.
#[derive(Parser)]
struct Arguments {
    /// How many messages there are.
    #[arg(long, default_value_t = 200_000)]
    messages: usize,
    /// How often each question is asked for its time.
    #[arg(long, default_value_t = 5)]
    repeat: usize,
    /// The Markdown file to write.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let measured = runtime.block_on(async {
        let mut measured = Vec::new();
        for engine in Engine::at_hand() {
            measured.push(measure(&engine, &arguments).await);
        }
        measured
    });
    let table = table::write(&measured);
    println!("{table}");
    if let Some(out) = arguments.out {
        std::fs::write(out, table).unwrap();
    }
}

/// A database of its own, and the settings by which a homeserver finds it.
async fn database(engine: &Engine, directory: &tempfile::TempDir) -> (DatabaseSettings, String) {
    match engine {
        Engine::Sqlite => {
            let path = directory.path().join("parvis.db");
            let settings = format!("[storage.sqlite]\npath = {path:?}\n");
            (DatabaseSettings::Sqlite { path, readers: 2, relaxed_durability: true }, settings)
        }
        Engine::Postgres(server) => {
            let url = fresh_schema(server, &format!("search_bench_{}", std::process::id())).await.unwrap();
            let settings = format!("[storage.postgres]\nurl = {url:?}\n");
            (DatabaseSettings::Postgres { url, connections: 4 }, settings)
        }
    }
}

async fn measure(engine: &Engine, arguments: &Arguments) -> Measured {
    let directory = tempfile::tempdir().unwrap();
    let (database, settings) = database(engine, &directory).await;
    let settings = format!("{settings}[registration]\nmode = \"open\"\n");
    let mut server = Server::with(engine, &settings).await;
    let user = server.user("alice").await;
    let rooms = [user.create_room(json!({})).await, user.create_room(json!({})).await];
    server.stop().await;
    let store_settings = StoreSettings { database, cache_bytes: 64 << 20 };
    let mut corpus = Corpus::new(1);
    println!("{engine}: writing {} messages", arguments.messages);
    room::fill(&store_settings, &rooms, &user.id, &mut corpus, arguments.messages).await;
    server.restart_with("").await;
    println!("{engine}: filling the index");
    let filling = until_filled(&store_settings).await;
    let user = user.log_in_again().await;
    let mut asked = Vec::new();
    for question in &corpus.questions {
        asked.push(ask(&user, question, arguments.repeat).await);
    }
    let index_bytes = index_bytes(&store_settings).await;
    server.stop().await;
    Measured {
        engine: engine.to_string(),
        messages: arguments.messages,
        text_bytes: corpus.bytes,
        index_bytes,
        filling,
        asked,
    }
}

async fn index_bytes(settings: &StoreSettings) -> u64 {
    let store = Store::open(settings).await.unwrap();
    let bytes = store.search_index_bytes().await.unwrap();
    store.close().await;
    bytes
}

/// Waits until the homeserver has filled its index, which is seen in its database.
async fn until_filled(settings: &StoreSettings) -> Duration {
    let start = Instant::now();
    let store = Store::open(settings).await.unwrap();
    loop {
        if store.search_marks().await.unwrap().filled.0 == i64::MAX {
            break;
        }
        assert!(start.elapsed() < LONGEST_FILLING, "the index is not filled");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    store.close().await;
    start.elapsed()
}

/// Asks a question: for all its answers once, and a few times for the first page as a client does.
async fn ask(user: &User, question: &Question, repeat: usize) -> Asked {
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut next: Option<String> = None;
    loop {
        let more = json!({ "order_by": "recent", "filter": { "limit": PAGE } });
        let page = search(user, question.asked, &more, next.as_deref()).await;
        let results = page["results"].as_array().unwrap();
        found.extend(results.iter().map(|found| found["result"]["event_id"].as_str().unwrap().to_owned()));
        next = page["next_batch"].as_str().map(str::to_owned);
        if next.is_none() || results.is_empty() {
            break;
        }
    }
    let mut times = Vec::new();
    for order in ["recent", "rank"] {
        for _ in 0..repeat {
            let context = json!({ "before_limit": 1, "after_limit": 1, "include_profile": true });
            let more = json!({ "order_by": order, "event_context": context });
            let start = Instant::now();
            search(user, question.asked, &more, None).await;
            times.push((order, start.elapsed()));
        }
    }
    let right = found.intersection(&question.meant).count();
    Asked {
        language: question.language,
        asked: question.asked,
        meant: question.meant.len(),
        found: found.len(),
        right,
        times,
        results: found,
    }
}

async fn search(user: &User, term: &str, more: &Value, next: Option<&str>) -> Value {
    let mut criteria = json!({ "search_term": term });
    for (key, value) in more.as_object().unwrap() {
        criteria[key] = value.clone();
    }
    let path = next.map_or("v3/search".to_owned(), |next| format!("v3/search?next_batch={next}"));
    let body = json!({ "search_categories": { "room_events": criteria } });
    user.post(&path, body).await.ok()["search_categories"]["room_events"].clone()
}
