//! The tree of states in rooms of several sizes, and the floor under a message: three rows in a grouped insert, and three
//! that are written alone.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on must end")]

use std::{hint::black_box, path::Path};

use criterion::{BenchmarkId, Criterion, Throughput};
use parvis_storage::{DatabaseSettings, EventSn, Slot, StateRoot, Store, StoreSettings, WriteSet};
use processor_time::ProcessorTime;
use sqlx::{
    Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::runtime::Runtime;

#[path = "support/processor_time.rs"]
mod processor_time;

const SIZES: [u32; 3] = [10_000, 50_000, 200_000];
/// How many messages the writer gathers at most.
const GROUP: i64 = 128;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    states(&mut criterion, &runtime);
    rows(&mut criterion, &runtime);
    criterion.final_summary();
    let mut criterion = Criterion::default().with_measurement(ProcessorTime).configure_from_args();
    lone_rows(&mut criterion, &runtime);
    criterion.final_summary();
}

fn states(criterion: &mut Criterion, runtime: &Runtime) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("parvis.db");
    let database = DatabaseSettings::Sqlite { path, readers: 1, relaxed_durability: true };
    let settings = StoreSettings { database, cache_bytes: 256 << 20 };
    let store = runtime.block_on(Store::open(&settings)).unwrap();
    let mut group = criterion.benchmark_group("state");
    for size in SIZES {
        let all: Vec<_> = (0..size).map(|slot| (Slot(slot), Some(EventSn(i64::from(slot))))).collect();
        let changes: Vec<_> =
            (0..10).map(|n| (Slot(n * (size / 10)), Some(EventSn(1_000_000 + i64::from(n))))).collect();
        let (before, after) = runtime.block_on(async {
            let mut set = WriteSet::new();
            let before = store.change_state(&mut set, StateRoot::EMPTY, &all).await.unwrap();
            let after = store.change_state(&mut set, before, &changes).await.unwrap();
            store.commit(set).await.unwrap();
            (before, after)
        });
        group.bench_with_input(BenchmarkId::new("ten slots differ", size), &size, |bencher, _| {
            bencher.iter(|| runtime.block_on(store.state_diff(black_box(before), after)).unwrap().len());
        });
        group.bench_with_input(BenchmarkId::new("change one slot", size), &size, |bencher, _| {
            bencher.iter(|| {
                let mut set = WriteSet::new();
                runtime.block_on(store.change_state(&mut set, black_box(before), &changes[..1])).unwrap()
            });
        });
    }
    group.finish();
    runtime.block_on(store.close());
}

/// Three tables such as those of events, their JSON and transactions; a row in each for each message, all messages
/// of a group with one statement for each table and one commit, which does not wait for the disk.
fn rows(criterion: &mut Criterion, runtime: &Runtime) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.db");
    let mut connection = runtime.block_on(three_tables(&path, SqliteSynchronous::Off));
    let mut first = 0;
    let mut group = criterion.benchmark_group("rows");
    group.throughput(Throughput::Elements(GROUP.cast_unsigned()));
    group.bench_function("three rows in a grouped insert, for 128 messages", |bencher| {
        bencher.iter(|| {
            first += GROUP;
            runtime.block_on(insert(&mut connection, first, GROUP));
        });
    });
    group.finish();
}

/// The same three rows for one message at a time, with one text and a commit that waits for the disk, as one who waits for
/// each answer has them written: the processor time of all threads.
fn lone_rows(criterion: &mut Criterion<ProcessorTime>, runtime: &Runtime) {
    const TEXT: &str = "BEGIN; INSERT INTO events (sn, id, room, root) VALUES (?, ?, ?, ?);
        INSERT INTO bodies (sn, json) VALUES (?, ?); INSERT INTO transactions (hash, sn) VALUES (?, ?); COMMIT";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.db");
    let mut connection = runtime.block_on(three_tables(&path, SqliteSynchronous::Full));
    let json = "x".repeat(800);
    let mut sn = 0_i64;
    criterion.bench_function("rows/three rows alone, on disk, processor time", |bencher| {
        bencher.iter(|| {
            sn += 1;
            let hash = sn.wrapping_mul(0x9e37_79b9).to_le_bytes().repeat(2);
            let query =
                sqlx::query(TEXT).bind(sn).bind(format!("${sn:043}")).bind(1_i64).bind(vec![7_u8; 16]);
            let query = query.bind(sn).bind(json.as_str()).bind(hash).bind(sn);
            runtime.block_on(query.execute(&mut connection)).unwrap();
        });
    });
}

async fn three_tables(path: &Path, synchronous: SqliteSynchronous) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for table in [
        "CREATE TABLE events (sn INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, room INTEGER, root BLOB)",
        "CREATE TABLE bodies (sn INTEGER PRIMARY KEY, json TEXT NOT NULL)",
        "CREATE TABLE transactions (hash BLOB PRIMARY KEY, sn INTEGER NOT NULL) WITHOUT ROWID",
    ] {
        sqlx::raw_sql(table).execute(&mut connection).await.unwrap();
    }
    connection
}

async fn insert(connection: &mut SqliteConnection, first: i64, count: i64) {
    let json = "x".repeat(800);
    let mut transaction = connection.begin().await.unwrap();
    let mut events = sqlx::QueryBuilder::new("INSERT INTO events (sn, id, room, root) ");
    events.push_values(first..first + count, |mut row, sn| {
        row.push_bind(sn).push_bind(format!("${sn:043}")).push_bind(1_i64).push_bind(vec![7_u8; 16]);
    });
    events.build().execute(&mut *transaction).await.unwrap();
    let mut bodies = sqlx::QueryBuilder::new("INSERT INTO bodies (sn, json) ");
    bodies.push_values(first..first + count, |mut row, sn| {
        row.push_bind(sn).push_bind(json.as_str());
    });
    bodies.build().execute(&mut *transaction).await.unwrap();
    let mut transactions = sqlx::QueryBuilder::new("INSERT INTO transactions (hash, sn) ");
    transactions.push_values(first..first + count, |mut row, sn| {
        row.push_bind(sn.wrapping_mul(0x9e37_79b9).to_le_bytes().repeat(2)).push_bind(sn);
    });
    transactions.build().execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
}
