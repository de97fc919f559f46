//! The engine: answers syncs, waits for news on behalf of those who ask to, and wakes them.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use moka::sync::Cache;
use parvis_ambient::Ambient;
use parvis_storage::{Change, Ephemeral, Position, StorageError, Store, Token, UserSn};
use ruma::api::client::filter::FilterDefinition;
use tokio::sync::watch;

use crate::{
    answer::{SyncAnswer, SyncRequest},
    classic::Classic,
    filter::Filter,
    parts::Parts,
    view::{Reader, View},
    waiters::Waiters,
};

/// How long a client may make a sync wait.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// How many stored filters are kept in memory.
const FILTERS: u64 = 10_000;

/// The engine of syncs. Cheap to clone; all clones are the same engine.
///
/// It has tasks of its own, which end when [`close`](Self::close) is called or the last clone is gone.
#[derive(Clone, Debug)]
pub struct SyncEngine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    ambient: Ambient,
    waiters: Waiters,
    /// Stored filters, which never change.
    filters: Cache<(UserSn, i64), Arc<Filter>>,
    /// Which run of the server this is, for what does not outlive it.
    run: u32,
    /// Whether the engine is closing. Its end tells the tasks to end.
    closing: watch::Sender<bool>,
}

impl SyncEngine {
    /// Starts the engine. What readers see is decided by `view`.
    pub fn start(store: Store, view: View, ambient: Ambient) -> Self {
        let run = u32::try_from(ambient.chance.number() >> 32).unwrap_or_default();
        let mut head = store.follow();
        let seen = *head.borrow_and_update();
        let engine = Self(Arc::new(Inner {
            parts: Parts::new(store, view),
            ambient,
            waiters: Waiters::default(),
            filters: Cache::new(FILTERS),
            run,
            closing: watch::Sender::new(false),
        }));
        tokio::spawn(follow(Arc::downgrade(&engine.0), seen, head, engine.0.closing.subscribe()));
        engine
    }

    /// Ends all waiting at once: whoever waits gets an ordinary answer that says nothing.
    pub fn close(&self) {
        self.0.closing.send_replace(true);
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
        let timeout = inner.ambient.clock.sleep(request.timeout.min(LONGEST_WAIT));
        tokio::pin!(timeout);
        let at_once = request.since.is_none() || request.full_state || request.timeout.is_zero();
        let mut since = request.since;
        loop {
            let next = inner.now();
            let answer = Classic::answer(&inner.parts, request, reader, since, next).await?;
            if at_once || !answer.is_empty() || *closing.borrow() {
                return Ok(answer);
            }
            // Nothing up to here concerned the reader, so the next look begins here.
            since = Some(next);
            tokio::select! {
                () = waiting.woken() => {}
                () = &mut timeout => return Ok(answer),
                _ = closing.changed() => return Ok(answer),
            }
        }
    }
}

impl Inner {
    /// The place behind everything that there is.
    fn now(&self) -> Token {
        Token { position: self.parts.store.head(), ephemeral: Some(Ephemeral { run: self.run, count: 0 }) }
    }

    /// Wakes those whom the changes between two positions concern.
    async fn wake(&self, since: Position, until: Position) -> Result<(), StorageError> {
        let Some(changes) = self.parts.store.changes_between(since, until) else {
            self.waiters.wake_all();
            return Ok(());
        };
        for announced in changes {
            match announced.change {
                Change::Event { room, member, .. } => {
                    self.waiters.wake_joined(&*self.parts.store.members_of_room(room).await?);
                    member.into_iter().for_each(|member| self.waiters.wake(member));
                }
                Change::Receipt { room, private: false, .. } => {
                    self.waiters.wake_joined(&*self.parts.store.members_of_room(room).await?);
                }
                Change::Receipt { user, private: true, .. }
                | Change::AccountData { user, .. }
                | Change::Forgotten { user, .. } => self.waiters.wake(user),
            }
        }
        Ok(())
    }
}

/// Follows the stream and wakes whom it concerns, until the engine closes.
async fn follow(
    inner: Weak<Inner>,
    mut seen: Position,
    mut head: watch::Receiver<Position>,
    mut closing: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            changed = head.changed() => if changed.is_err() { return },
            _ = closing.changed() => return,
        }
        let until = *head.borrow_and_update();
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = inner.wake(seen, until).await {
            tracing::error!(%error, "cannot tell whom changes concern, waking everybody");
            inner.waiters.wake_all();
        }
        seen = until;
    }
}
