//! The engine: a worker that keeps the index up to date, and finding what is in it.

mod worker;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use parvis_ambient::Ambient;
use parvis_storage::{
    CommitError, EventSn, Position, RoomSn, SearchMatch, SearchScope, StorageError, Store, StoredEvent,
    UserSn, WriteSet,
};
use tokio::sync::{Notify, watch};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    Language, Normaliser, Question, TextKind, Weight,
    text::{new_text_of, text_of},
};

/// How long a search waits for the index to take in what is new.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Where the filling has come to when it is at its end.
const FILLED: EventSn = EventSn(i64::MAX);

/// How an organisation searches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchSettings {
    /// The languages of which the forms of words are known.
    pub languages: Vec<Language>,
}

impl Default for SearchSettings {
    fn default() -> Self {
        Self { languages: Language::ALL.to_vec() }
    }
}

/// Keeps the index of an organisation's messages, and finds what is in it. Cheap to clone; all clones are the same
/// engine. Its worker ends when [`close`](Self::close) is called or the last clone is gone.
#[derive(Clone)]
pub struct Search {
    inner: Arc<Inner>,
    _guard: Arc<DropGuard>,
}

struct Inner {
    store: Store,
    ambient: Ambient,
    normaliser: Normaliser,
    /// How far the worker is in the stream.
    position: AtomicI64,
    /// How far it is in what was there before.
    filled: AtomicI64,
    /// Where that ends, about.
    fill_end: AtomicI64,
    documents: AtomicU64,
    failing: AtomicBool,
    /// How often somebody has asked the worker to look, and up to which asking it has.
    asked: AtomicU64,
    looked: watch::Sender<u64>,
    nudge: Notify,
    closing: CancellationToken,
    tasks: TaskTracker,
}

/// How the index stands, for operators.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SearchStatus {
    /// How many documents were put in since the start.
    pub documents: u64,
    /// How many changes of the store have not been looked at.
    pub unread_changes: u64,
    /// How much of what was there before is in: from 0 to 1.
    pub filled: f64,
    /// Whether the database refused at the last attempt.
    pub is_failing: bool,
}

/// Where is sought.
#[derive(Clone, Debug)]
pub struct Scope {
    /// In which rooms.
    pub rooms: Vec<RoomSn>,
    /// Only what these have sent; whoever, if there are none.
    pub senders: Vec<UserSn>,
    /// In which texts.
    pub kinds: Vec<TextKind>,
    /// Nothing that was sent after this time, in milliseconds since the epoch.
    pub until_ts: i64,
    /// How many at most: the newest.
    pub limit: usize,
}

/// What may answer a question, if the reader may see it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The event.
    pub event: Arc<StoredEvent>,
    /// The edit whose text is sought, where it was edited.
    pub edit: Option<Arc<StoredEvent>>,
}

impl fmt::Debug for Search {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Search").field(&self.inner.normaliser).finish()
    }
}

impl Search {
    /// Starts the worker where it was stopped. Where the index has another form than the one that the settings ask
    /// for, it is filled anew, and meanwhile used as it is.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn start(
        store: Store,
        ambient: Ambient,
        settings: SearchSettings,
    ) -> Result<Self, StorageError> {
        let normaliser = Normaliser::new(&settings.languages);
        let mut marks = store.search_marks().await?;
        if marks.format != normaliser.format() {
            marks.position = store.head();
            marks.filled = EventSn(0);
            let mut set = WriteSet::new();
            set.put_search_format(normaliser.format());
            set.move_search_position(marks.position);
            set.move_search_fill(marks.filled);
            store.commit(set).await.map_err(refused)?;
        }
        let fill_end = store.greatest_event().await?;
        let inner = Arc::new(Inner {
            store,
            ambient,
            normaliser,
            position: AtomicI64::new(marks.position.0),
            filled: AtomicI64::new(marks.filled.0),
            fill_end: AtomicI64::new(fill_end.0),
            documents: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            asked: AtomicU64::new(0),
            looked: watch::Sender::new(0),
            nudge: Notify::new(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let head = inner.store.follow();
        inner.tasks.spawn(worker::run(Arc::clone(&inner), head));
        let guard = Arc::new(inner.closing.clone().drop_guard());
        Ok(Self { inner, _guard: guard })
    }

    /// Begins to end the worker. What was not looked at is looked at after the next start.
    pub fn stop(&self) {
        self.inner.closing.cancel();
    }

    /// Ends the worker, and waits for its end.
    pub async fn close(&self) {
        self.stop();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// How the index stands.
    pub fn status(&self) -> SearchStatus {
        let inner = &self.inner;
        let unread = inner.store.head().0.saturating_sub(inner.position.load(Ordering::Relaxed));
        let filled = inner.filled.load(Ordering::Relaxed);
        let end = inner.fill_end.load(Ordering::Relaxed);
        SearchStatus {
            documents: inner.documents.load(Ordering::Relaxed),
            unread_changes: u64::try_from(unread).unwrap_or(0),
            filled: if filled >= end { 1.0 } else { filled as f64 / end as f64 },
            is_failing: inner.failing.load(Ordering::Relaxed),
        }
    }

    /// Waits until what was committed before is in the index, so that everybody finds what they have just said; a
    /// while at most, and not for what was there before the index was.
    pub async fn catch_up(&self) {
        let inner = &self.inner;
        let asked = inner.asked.fetch_add(1, Ordering::AcqRel) + 1;
        inner.nudge.notify_one();
        let mut looked = inner.looked.subscribe();
        tokio::select! {
            biased;
            _ = looked.wait_for(|looked| *looked >= asked) => {}
            () = inner.ambient.clock.sleep(LONGEST_WAIT) => {}
            () = inner.closing.cancelled() => {}
        }
    }

    /// Reads a question.
    pub fn question(&self, text: &str) -> Question {
        Question::new(&self.inner.normaliser, text)
    }

    /// What may answer a question, newest first. What was redacted or edited a moment ago is not among it, however
    /// far the index is. Who may see what is for the caller to say.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn find(&self, question: &Question, scope: &Scope) -> Result<Vec<Candidate>, StorageError> {
        let store = &self.inner.store;
        let asked = SearchScope {
            rooms: &scope.rooms,
            kinds: scope.kinds.iter().map(|kind| kind.bit()).fold(0, |bits, bit| bits | bit),
            until_ts: scope.until_ts,
            limit: scope.limit,
        };
        let matches = store.search(&question.terms(&scope.rooms, &scope.senders), &asked).await?;
        let edits = matches.iter().filter(|found| found.source != found.event);
        let mut wanted: Vec<EventSn> = matches.iter().map(|found| found.event).collect();
        wanted.extend(edits.map(|found| found.source));
        let events = store.events(&wanted).await?;
        let by_number: std::collections::HashMap<EventSn, Arc<StoredEvent>> =
            events.into_iter().map(|event| (event.sn, event)).collect();
        let candidate = |found: &SearchMatch| {
            let event = by_number.get(&found.event)?;
            let edit = match found.source == found.event {
                true => None,
                false => Some(by_number.get(&found.source)?),
            };
            let is_gone = [Some(event), edit].into_iter().flatten().any(|event| event.redacted_by.is_some());
            (!is_gone).then(|| Candidate { event: Arc::clone(event), edit: edit.cloned() })
        };
        Ok(matches.iter().filter_map(candidate).collect())
    }

    /// How well a candidate answers a question; nothing, if it does not.
    pub fn weigh(&self, question: &Question, candidate: &Candidate) -> Option<Weight> {
        let normaliser = &self.inner.normaliser;
        match &candidate.edit {
            Some(edit) => question.weigh(normaliser, &new_text_of(&edit.pdu)?),
            None => question.weigh(normaliser, &text_of(&candidate.event.pdu)?),
        }
    }
}

impl Inner {
    fn position(&self) -> Position {
        Position(self.position.load(Ordering::Acquire))
    }

    fn filled(&self) -> EventSn {
        EventSn(self.filled.load(Ordering::Acquire))
    }
}

/// The error of a write that has no guards.
fn refused(error: CommitError) -> StorageError {
    match error {
        CommitError::Storage(error) => error,
        other => StorageError::Corrupt(format!("a write without guards was refused: {other}")),
    }
}
