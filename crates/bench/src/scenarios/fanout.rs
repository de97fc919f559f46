//! One room full of clients that wait in `/sync`, and one sender. A delivery's latency runs from the start of
//! the send request to the arrival of that client's whole answer; its cost includes the client's next poll.
//! Rounds do not overlap: the next message is sent when all clients wait again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout_at},
};

use super::{Ground, SETUP_AT_ONCE, TEXT};
use crate::{
    clock,
    connection::Failure,
    matrix::{self, Account, Client},
    measure::{self, Meter, Name, Outcome, Samples},
    process::Memory,
    scan,
};

/// Longest wait for a message to reach everybody.
const ROUND_LIMIT: Duration = Duration::from_secs(60);
/// Longest time for all rounds with one number of clients.
const STAGE_LIMIT: Duration = Duration::from_secs(180);
/// How long the waiting room is watched without messages, for what waiting alone costs.
const IDLE_LOOK: Duration = Duration::from_secs(2);
/// Begins the text of the measured messages; the round's number follows.
const MARK: &str = "fan-out round ";
/// A client pauses this long after an error, so that a dead server is not hammered.
const ERROR_PAUSE: Duration = Duration::from_millis(200);

/// What a waiting client tells.
enum News {
    /// The message of this round came.
    Delivered { round: usize, arrived: Instant },
    /// Its poll ended early with something else.
    Other,
    /// Its poll failed.
    Failed(Failure),
}

struct Waiter {
    client: Client,
    /// Query parameters that stay the same, with the uploaded filter.
    query: String,
    since: String,
}

pub(super) async fn measure(ground: &mut Ground) -> Result<Vec<Outcome>, Failure> {
    let sender = ground.accounts.apart().await?;
    let room_id = ground.public_room(&sender).await?;
    let mut joined = 0;
    let mut outcomes = Vec::new();
    for waiting in ground.sizes.waiting.clone() {
        let users = ground.accounts.crowd(waiting).await?;
        ground.join_all(&room_id, users.get(joined..).unwrap_or_default()).await?;
        joined = waiting;
        measure::rest(&ground.watch).await;
        let before = ground.watch.memory();
        let waiters = waiters(ground, &users).await?;
        let room = Room { sender: ground.client(&sender), path: matrix::send_path(&room_id), waiting };
        outcomes.push(stage(ground, room, waiters, before).await);
    }
    Ok(outcomes)
}

struct Room {
    sender: Client,
    path: String,
    waiting: usize,
}

/// One client per user, synced up to now. Their filter is what real clients use: members come when needed.
async fn waiters(ground: &Ground, users: &[Arc<Account>]) -> Result<Vec<Waiter>, Failure> {
    let filter = matrix::serialised(
        &json!({ "room": { "state": { "lazy_load_members": true }, "timeline": { "limit": 10 } } }),
    );
    let presence = &ground.sizes.set_presence;
    let waiter = async |user: &Arc<Account>| {
        let mut client = ground.client(user);
        let filter_id = client.upload_filter(filter.clone()).await?;
        let query =
            format!("filter={}&set_presence={}", matrix::encoded(&filter_id), matrix::encoded(presence));
        let (_, since) = client.sync(&format!("{query}&timeout=0")).await?;
        Ok(Waiter { client, query, since })
    };
    stream::iter(users).map(waiter).buffer_unordered(SETUP_AT_ONCE).try_collect().await
}

async fn stage(ground: &Ground, mut room: Room, waiters: Vec<Waiter>, before: Memory) -> Outcome {
    let (news, mut inbox) = mpsc::unbounded_channel();
    let mut waiting = JoinSet::new();
    for waiter in waiters {
        waiting.spawn(wait(waiter, news.clone()));
    }
    measure::rest(&ground.watch).await;
    let idle_ms_per_second = idle_cost(ground).await;
    let grown = ground.watch.memory().resident_kib.saturating_sub(before.resident_kib);
    while inbox.try_recv().is_ok() {}
    // The first message is not measured: members and caches are loaded with it.
    let mut tally = Tally::default();
    round(&mut room, 0, &mut inbox, &mut tally).await;
    let mut tally = Tally::default();
    let meter = Meter::start(&ground.watch).await;
    let began = clock::now();
    for number in 1..=ground.sizes.rounds {
        if clock::now().duration_since(began) > STAGE_LIMIT {
            break;
        }
        round(&mut room, number, &mut inbox, &mut tally).await;
        measure::rest(&ground.watch).await;
    }
    let shape = format!("{} waiting", room.waiting);
    let name = Name { scenario: "fanout", shape, unit: "deliveries" };
    let mut outcome = meter.finish(name, tally.deliveries, tally.active).await;
    waiting.shutdown().await;
    outcome.facts.insert("send_p50_ms".to_owned(), tally.sends.percentiles().p50);
    outcome.facts.insert("waiting_kib_each".to_owned(), grown as f64 / room.waiting.max(1) as f64);
    outcome.facts.insert("other_wakeups".to_owned(), tally.other_wakeups as f64);
    outcome.facts.insert("idle_cpu_ms_per_s".to_owned(), idle_ms_per_second);
    outcome
}

#[derive(Default)]
struct Tally {
    deliveries: Samples,
    sends: Samples,
    other_wakeups: usize,
    /// From each send to its last arrival.
    active: Duration,
}

/// Sends one message and waits until it has come to everybody.
async fn round(room: &mut Room, number: usize, inbox: &mut mpsc::UnboundedReceiver<News>, tally: &mut Tally) {
    let body = matrix::text_message(&format!("{MARK}{number}. {TEXT}"));
    let start = clock::now();
    if let Err(failure) =
        room.sender.send(&room.path, &format!("fanout{}-{number}", room.waiting), &body).await
    {
        return tally.sends.failed(&failure);
    }
    tally.sends.succeeded(clock::now().duration_since(start));
    let deadline = tokio::time::Instant::from_std(start + ROUND_LIMIT);
    let mut missing = room.waiting;
    while missing > 0
        && let Ok(Some(news)) = timeout_at(deadline, inbox.recv()).await
    {
        match news {
            News::Delivered { round, arrived } if round == number => {
                missing -= 1;
                tally.deliveries.succeeded(arrived.duration_since(start));
            }
            News::Delivered { .. } => {}
            News::Other => tally.other_wakeups += 1,
            News::Failed(failure) => tally.deliveries.failed(&failure),
        }
    }
    tally.active += clock::now().duration_since(start);
    let late = format!("not delivered within {} s", ROUND_LIMIT.as_secs());
    tally.deliveries.count_failures(late, missing as u64);
}

/// Polls until it is stopped.
async fn wait(mut waiter: Waiter, news: mpsc::UnboundedSender<News>) {
    loop {
        let since = matrix::encoded(&waiter.since);
        let query = format!("{}&timeout=30000&since={since}", waiter.query);
        let asked = clock::now();
        let told = match waiter.client.sync(&query).await {
            Ok((body, next_batch)) => {
                let arrived = clock::now();
                waiter.since = next_batch;
                match marked_round(&body) {
                    Some(round) => Some(News::Delivered { round, arrived }),
                    None if arrived.duration_since(asked) < Duration::from_secs(29) => Some(News::Other),
                    None => None,
                }
            }
            Err(failure) => {
                sleep(ERROR_PAUSE).await;
                Some(News::Failed(failure))
            }
        };
        if let Some(told) = told
            && news.send(told).is_err()
        {
            return;
        }
    }
}

/// The newest round whose message is in this answer.
fn marked_round(body: &[u8]) -> Option<usize> {
    let mut newest = None;
    let mut rest = body;
    while let Some(at) = scan::find(rest, MARK.as_bytes()) {
        rest = rest.get(at + MARK.len()..)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        newest = newest.max(std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok());
    }
    newest
}

/// Processor milliseconds per second while everybody waits and nobody speaks.
async fn idle_cost(ground: &Ground) -> f64 {
    let before = ground.watch.cpu_ms();
    sleep(IDLE_LOOK).await;
    ground.watch.cpu_ms().saturating_sub(before) as f64 / IDLE_LOOK.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::marked_round;

    #[test]
    fn newest_round_of_an_answer_is_found() {
        assert_eq!(
            marked_round(br#"{"body":"fan-out round 3. x"}, {"body":"fan-out round 12. x"}"#),
            Some(12)
        );
        assert_eq!(marked_round(br#"{"body":"hello"}"#), None);
    }
}
