//! The engine: answers syncs, waits for news on behalf of those who ask to, and wakes them.

mod device_lists;
mod elsewhere;
mod others;
mod sliding;
mod subscriptions;
mod tasks;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use parvis_ambient::{Ambient, Timestamp};
use parvis_cache::Cache;
use parvis_storage::{CommitError, DeviceSn, Position, StorageError, Store, Token, UserSn, WriteSet};
use ruma::api::client::filter::FilterDefinition;
use tokio::sync::{Notify, broadcast, watch};

pub use self::elsewhere::HeardPresence;
pub use self::others::{PresenceError, TypingError};
pub use self::subscriptions::SubscriptionError;
use crate::{
    answer::{SyncAnswer, SyncRequest},
    classic::Classic,
    filter::Filter,
    notices::Notices,
    parts::Parts,
    passing::{Passing, Teller},
    presence::PresenceMode,
    receipts::Receipts,
    sliding::Sliding,
    view::{Reader, View},
    waiters::Waiters,
};

/// How long a client may make a sync wait.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// How many stored filters are kept in memory.
const FILTERS: u64 = 10_000;

/// How the engine works.
#[derive(Clone, Copy, Debug)]
pub struct SyncSettings {
    /// How far presence goes.
    pub presence: PresenceMode,
}

impl Default for SyncSettings {
    fn default() -> Self {
        Self { presence: PresenceMode::Local }
    }
}

/// The engine of syncs. Cheap to clone; all clones are the same engine.
///
/// It has tasks of its own, which end when [`close`](Self::close) is called or the last clone is gone.
#[derive(Clone, Debug)]
pub struct SyncEngine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    receipts: Receipts,
    sliding: Sliding,
    ambient: Ambient,
    waiters: Waiters,
    /// Stored filters, which never change.
    filters: Cache<(UserSn, i64), Arc<Filter>>,
    /// Users whose presence has changed and of whom others are not told yet, and when they will be.
    presence_news: Mutex<PresenceNews>,
    /// Tells those who tell other servers.
    teller: Teller,
    /// Tells the timekeeper to look again at what comes next.
    nudge: Arc<Notify>,
    /// Whether the engine is closing. Its end tells the tasks to end.
    closing: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct PresenceNews {
    users: BTreeSet<UserSn>,
    due: Option<Timestamp>,
}

impl SyncEngine {
    /// Starts the engine. What readers see is decided by `view`.
    pub fn start(store: Store, view: View, ambient: Ambient, settings: SyncSettings) -> Self {
        let run = u32::try_from(ambient.chance.number() >> 32).unwrap_or_default();
        let mut head = store.follow();
        let seen = head.see();
        let engine = Self(Arc::new(Inner {
            receipts: Receipts::new(store.clone(), ambient.clone()),
            sliding: Sliding::new(store.clone()),
            parts: Parts::new(store, view, ambient.clone(), run, settings.presence),
            ambient,
            waiters: Waiters::default(),
            filters: Cache::new(FILTERS),
            presence_news: Mutex::default(),
            teller: Teller::new(),
            nudge: Arc::default(),
            closing: watch::Sender::new(false),
        }));
        tasks::start(&engine.0, seen, head);
        engine
    }

    /// Ends all waiting at once: whoever waits gets an ordinary answer that says nothing.
    pub fn close(&self) {
        self.0.closing.send_replace(true);
    }

    /// Listens to what passes from now on: typing and presence.
    pub fn listen(&self) -> broadcast::Receiver<Passing> {
        self.0.teller.listen()
    }

    /// What users are to be told while they are not looking. It shares what syncs remember of it.
    pub fn notices(&self) -> Notices {
        let Parts { store, view, unread, .. } = &self.0.parts;
        Notices::new(store.clone(), view.clone(), unread.clone())
    }

    /// A filter that a user has stored, by its id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn stored_filter(&self, user: UserSn, id: &str) -> Result<Option<Arc<Filter>>, StorageError> {
        let inner = &self.0;
        let Ok(id) = id.parse::<i64>() else { return Ok(None) };
        if let Some(filter) = inner.filters.get(&(user, id)) {
            return Ok(Some(filter));
        }
        let Some(definition) = inner.parts.store.filter(user, id).await? else { return Ok(None) };
        let definition: FilterDefinition = serde_json::from_str(&definition)
            .map_err(|error| StorageError::Corrupt(format!("a filter: {error}")))?;
        let filter = Arc::new(Filter::from(&definition));
        inner.filters.insert((user, id), Arc::clone(&filter));
        Ok(Some(filter))
    }

    /// What is new for a reader. Where nothing is, waits for as long as is asked for, and then says so.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn sync(&self, reader: Reader, request: &SyncRequest) -> Result<SyncAnswer, StorageError> {
        let inner = &self.0;
        // From here on, what happens is either seen by the look below or wakes the wait after it.
        let waiting = inner.waiters.register(reader.user);
        let mut closing = inner.closing.subscribe();
        let _attending = inner.attend(reader, &request.set_presence);
        let timeout = inner.ambient.clock.sleep(request.timeout.min(LONGEST_WAIT));
        tokio::pin!(timeout);
        inner.acknowledge(reader, request.since).await?;
        // What a client saw that came after a backup is lost: it begins anew.
        let mut since = request.since.filter(|since| !inner.parts.store.is_void(since.position));
        let at_once = since.is_none() || request.full_state || request.timeout.is_zero();
        loop {
            let next = inner.place();
            // Looking needs a lot more than waiting, and a waiting client is to hold no more than it needs.
            let look = Box::pin(Classic::answer(&inner.parts, request, reader, since, next));
            let answer = look.await?;
            if at_once || *closing.borrow() {
                return Ok(answer);
            }
            if !answer.is_empty() {
                if !answer.device_is_gone {
                    return Ok(answer);
                }
                // The device was taken away while it waited: whoever asks for it will say so.
                tokio::select! {
                    biased;
                    () = &mut timeout => return Ok(answer),
                    _ = closing.changed() => return Ok(answer),
                }
            }
            // Nothing up to here concerned the reader, so the next look begins here.
            since = Some(next);
            tokio::select! {
                biased;
                () = waiting.woken() => {}
                () = &mut timeout => return Ok(answer),
                _ = closing.changed() => return Ok(answer),
            }
        }
    }
}

impl Inner {
    /// The place behind everything that there is.
    fn place(&self) -> Token {
        // What is in memory only is looked at later than it is counted here, and so told twice rather than never.
        let ephemeral = Some(self.parts.counter.now());
        Token { position: self.parts.store.head(), ephemeral, to_device: None }
    }

    /// Throws away the messages to a device that it was told before this place: by coming back with it, the
    /// client says that it has them.
    async fn acknowledge(&self, reader: Reader, since: Option<Token>) -> Result<(), StorageError> {
        let Some(since) = since else { return Ok(()) };
        let store = &self.parts.store;
        let told = since.to_device_told();
        let waiting = store.device_state(reader.device).await?.waiting;
        if waiting.is_some_and(|oldest| oldest <= told && told <= store.head()) {
            // Boxed, since it is seldom needed, and every sync that waits would have room for it.
            Box::pin(self.delete_to_device(reader.device, told)).await?;
        }
        Ok(())
    }

    async fn delete_to_device(&self, device: DeviceSn, told: Position) -> Result<(), StorageError> {
        let mut set = WriteSet::new();
        set.delete_to_device(device, told);
        self.parts.store.commit(set).await.map(drop).map_err(|error| match error {
            CommitError::Storage(error) => error,
            other => StorageError::Corrupt(format!("a write without guards was refused: {other}")),
        })
    }

    fn now(&self) -> Timestamp {
        self.ambient.now()
    }
}
