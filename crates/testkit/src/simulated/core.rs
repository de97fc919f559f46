//! The one queue of a simulated world: whatever waits, waits here, for its virtual time. Between two entries of the
//! queue nothing happens, so nobody needs to guess whether the world stands still.
//!
//! Knows nothing of homeservers; `world` takes the entries out and lets them happen.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use parvis_peers::PeerError;
use parvis_storage::{Turn, Work};
use tokio::sync::oneshot;

use super::{
    fate::Fate,
    weather::{Counts, Weather},
};

/// A point in virtual time: microseconds since the beginning of the world.
pub type Moment = u64;

/// The number of a server in its world. Servers that the test plays have numbers too.
pub(crate) type ServerIndex = usize;

/// The answer to a request between servers, or why there is none.
pub(crate) type Outcome = Result<http::Response<Bytes>, PeerError>;

/// Where an answer goes.
pub(crate) type Reply = oneshot::Sender<Outcome>;

/// Something that waits for its time.
pub(crate) enum Entry {
    /// A sleeper of a server wakes.
    Wake { server: ServerIndex, sleeper: oneshot::Sender<()> },
    /// A server's database gets its turn.
    Turn { server: ServerIndex, work: Work, worker: oneshot::Sender<Turn> },
    /// A request arrives. The reply goes nowhere if nobody waits for it.
    Request {
        from: ServerIndex,
        to: String,
        request: http::Request<Bytes>,
        number: u64,
        reply: Option<Reply>,
    },
    /// An answer arrives.
    Answer { server: ServerIndex, of: ServerIndex, outcome: Outcome, reply: Reply },
    /// A server that crashed starts again.
    Restart { server: ServerIndex },
    /// Two groups of servers reach each other again.
    Heal { partition: u64 },
}

/// All that a simulated world shares.
pub(crate) struct Core(Mutex<State>);

/// The contents of the [`Core`].
pub(crate) struct State {
    pub(crate) now: Moment,
    pub(crate) fate: Fate,
    pub(crate) weather: Weather,
    pub(crate) counts: Counts,
    queue: BTreeMap<(Moment, u64), Entry>,
    next: u64,
    /// How often something was asked of fate, by what and about whom.
    asked: HashMap<(&'static str, u64), u64>,
    /// Pairs of servers, the smaller number first, that do not reach each other, and because of which partition.
    pub(crate) cut: HashSet<(ServerIndex, ServerIndex, u64)>,
    /// Replies to what was lost: they are never used, and not dropped either, so that whoever waits waits on.
    pub(crate) lost: Vec<Reply>,
    pub(crate) names: Vec<String>,
    /// What happened, for comparing runs.
    pub(crate) trace: Vec<String>,
    /// Whether the turns of databases are written down too.
    pub(crate) turns_are_noted: bool,
}

impl Core {
    pub(crate) fn new(fate: Fate, weather: Weather, names: Vec<String>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            now: 0,
            fate,
            weather,
            counts: Counts::default(),
            queue: BTreeMap::new(),
            next: 0,
            asked: HashMap::new(),
            cut: HashSet::new(),
            lost: Vec::new(),
            names,
            trace: Vec::new(),
            turns_are_noted: false,
        })))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Puts an entry into the queue.
    pub(crate) fn after(&mut self, delay: Duration, entry: Entry) {
        let due = self.now.saturating_add(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX));
        self.next += 1;
        self.queue.insert((due, self.next), entry);
    }

    /// When the next entry is due.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        self.queue.first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes the next entry out, and goes to its time.
    pub(crate) fn take(&mut self) -> Option<Entry> {
        let ((due, _), entry) = self.queue.pop_first()?;
        self.now = self.now.max(due);
        Some(entry)
    }

    /// The number of this question among those of its kind about the same.
    pub(crate) fn nth(&mut self, question: &'static str, about: u64) -> u64 {
        let count = self.asked.entry((question, about)).or_default();
        *count += 1;
        *count
    }

    /// Writes down what happens.
    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        let line = format!("{:>12} {}", self.now, text());
        self.trace.push(line);
    }

    /// Whether two servers do not reach each other.
    pub(crate) fn is_cut(&self, one: ServerIndex, other: ServerIndex) -> bool {
        let (first, second) = (one.min(other), one.max(other));
        self.cut.iter().any(|(a, b, _)| (*a, *b) == (first, second))
    }

    /// The number of a server by its name.
    pub(crate) fn index(&self, name: &str) -> Option<ServerIndex> {
        self.names.iter().position(|known| known == name)
    }
}
