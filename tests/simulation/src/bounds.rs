//! What a homeserver may hold at most, whatever others do to it: while a world goes on, and when it has come to rest.

use std::fmt;

use parvis_storage::{Place, Store};
use ruma::{RoomId, ServerName};

use crate::story::Story;

/// Asynchronous tasks of a homeserver: those that always run, one for each room that is worked on, one for each
/// server that is told something, and the requests that are on their way.
const MOST_TASKS: usize = 300;
/// Events in memory for other servers. A queue that grows longer is looked up in the store instead.
const MOST_WAITING_EVENTS: usize = 1_000 * 6;
/// Rooms that are worked on: there is one, and those of invitations.
const MOST_WORKERS: usize = 4;
/// Bytes of the graph of authorisation, of a room with some hundred state events.
const MOST_GRAPH_BYTES: u64 = 1 << 20;
/// Events in the inbox of a room. The engine itself takes no more than 5,000 of one server; a world's liars send
/// some hundred.
const MOST_IN_INBOX: usize = 2_000;
/// Ends of a room. Each event of our own joins twenty of them.
const MOST_HEADS: usize = 400;
/// The same, when everybody has said some last words.
const MOST_HEADS_AT_REST: usize = 200;
/// Holes in the history of a room, after liars; honest servers leave none that stays.
const MOST_HOLES: usize = 400;
/// Holes that nobody has looked into yet, without liars.
const MOST_HONEST_HOLES: usize = 40;

/// The most that any homeserver held.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peaks {
    pub(crate) tasks: usize,
    pub(crate) waiting_events: usize,
    pub(crate) workers: usize,
    pub(crate) graph_bytes: u64,
    pub(crate) remembered_resolutions: u64,
    pub(crate) inbox: usize,
    pub(crate) heads: usize,
    pub(crate) holes: usize,
}

impl Peaks {
    /// The larger of each.
    pub(crate) fn raise(&mut self, other: &Self) {
        self.tasks = self.tasks.max(other.tasks);
        self.waiting_events = self.waiting_events.max(other.waiting_events);
        self.workers = self.workers.max(other.workers);
        self.graph_bytes = self.graph_bytes.max(other.graph_bytes);
        self.remembered_resolutions = self.remembered_resolutions.max(other.remembered_resolutions);
        self.inbox = self.inbox.max(other.inbox);
        self.heads = self.heads.max(other.heads);
        self.holes = self.holes.max(other.holes);
    }
}

impl fmt::Display for Peaks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tasks, waiting_events, workers, graph_bytes, remembered_resolutions, .. } = self;
        let Self { inbox, heads, holes, .. } = self;
        write!(
            formatter,
            "{tasks} tasks, {waiting_events} events waiting to be sent, {workers} rooms worked on, {graph_bytes} \
             bytes of a graph, {remembered_resolutions} states remembered; of a room: {inbox} events in the \
             inbox, {heads} ends, {holes} holes"
        )
    }
}

/// Checks what homeservers hold in memory.
pub(crate) fn check_memory(story: &mut Story) {
    for server in 0..story.world.homeservers() {
        let Some(sizes) = story.world.sizes(server) else { continue };
        let now = Peaks {
            tasks: sizes.tasks,
            waiting_events: sizes.outbound.queues.waiting_events,
            workers: sizes.rooms.workers,
            graph_bytes: sizes.rooms.graph_bytes,
            remembered_resolutions: sizes.rooms.remembered_resolutions,
            ..Peaks::default()
        };
        let is_within = now.tasks <= MOST_TASKS
            && now.waiting_events <= MOST_WAITING_EVENTS
            && now.workers <= MOST_WORKERS
            && now.graph_bytes <= MOST_GRAPH_BYTES;
        if !is_within {
            story.faults.push(format!("{server} holds more than it may: {now}"));
        }
        story.peaks.raise(&now);
    }
}

/// What a database holds of a room.
async fn rows(store: &Store, room: &str) -> Option<Peaks> {
    let room = store.room_sn(<&RoomId>::try_from(room).ok()?).await.ok()??;
    let nobody = <&ServerName>::try_from("nobody.test").ok()?;
    let (first, last) = (Place(i64::MIN), Place(i64::MAX));
    Some(Peaks {
        inbox: store.inbox_counts(room, nobody).await.ok()?.0,
        heads: store.room_head(room).await.ok()??.heads.len(),
        holes: store.missing_events(room, first, last, 100_000).await.ok()?.len(),
        ..Peaks::default()
    })
}

/// Checks what databases hold of the room while the world goes on.
pub(crate) fn check_databases(story: &mut Story) {
    let files = story.world.databases();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for server in 0..story.world.homeservers() {
        let store = loop {
            match runtime.block_on(files.try_open(server)) {
                Ok(store) => break Some(store),
                // It is in the middle of a write, which needs time to go by.
                Err(_) if story.world.step() => {}
                Err(problem) => {
                    story.faults.push(format!("the database of {server} cannot be read: {problem}"));
                    break None;
                }
            }
        };
        let Some(store) = store else { continue };
        let now = runtime.block_on(async {
            let now = rows(&store, &story.room).await;
            store.close().await;
            now
        });
        let now = now.unwrap_or_default();
        if now.inbox > MOST_IN_INBOX || now.heads > MOST_HEADS || now.holes > MOST_HOLES {
            story.faults.push(format!("the database of {server} holds more than it may: {now}"));
        }
        story.peaks.raise(&now);
    }
}

/// Checks what is left in a database when all has come to rest.
pub(crate) async fn check_rest(
    store: &Store,
    server: usize,
    room: &str,
    has_liars: bool,
    faults: &mut Vec<String>,
) {
    let left = rows(store, room).await.unwrap_or_default();
    if left.inbox > 0 {
        faults.push(format!("{} events stay in the inbox of {server}", left.inbox));
    }
    let most_heads = if has_liars { MOST_HEADS_AT_REST } else { 20 };
    if left.heads > most_heads {
        faults.push(format!("the room has {} ends on {server} when all is said", left.heads));
    }
    if left.holes > if has_liars { MOST_HOLES } else { MOST_HONEST_HOLES } {
        faults.push(format!("the room has {} holes on {server} when all is said", left.holes));
    }
}
