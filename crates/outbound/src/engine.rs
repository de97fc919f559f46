//! The engine: follows the stream, and starts to tell those whose time has come.

mod sender;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parvis_ambient::{Ambient, Timestamp};
use parvis_events::Membership;
use parvis_peers::Federation;
use parvis_storage::{
    Change, EventSn, HeadFollower, Position, RoomSn, StorageError, Store, UserSn, WriteSet,
};
use ruma::{OwnedServerName, ServerName, api::federation::transactions::edu::PresenceUpdate};
use tokio::sync::Notify;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    audience::Audience,
    error::refused,
    news::{News, Taken},
    queues::{QueueStatus, Queues},
};

/// How much of the stream is read at once.
const AT_ONCE: i64 = 1_000;
/// If more than this of the stream was not told when the engine starts, it is looked up for each server instead of
/// being read from end to end.
const LONGEST_GAP: i64 = 20_000;
/// For how long receipts and presence are gathered before they are told.
const GATHER: Duration = Duration::from_millis(500);
/// How often it is written where the servers stand.
const RECORD_EVERY: Duration = Duration::from_secs(1);
/// After how long the engine tries again when the database has failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a server that calls us, but does not answer, is tried because it calls.
const TRY_AT_MOST_EVERY: Duration = Duration::from_secs(5);
/// For how long what was put down for a server is kept when it does not arrive.
const KEEP_EDUS: Duration = Duration::from_secs(90 * 24 * 3_600);

/// Tells other servers. Cheap to clone; all clones are the same engine.
///
/// It has tasks of its own, which end when [`close`](Self::close) is called or the last clone is gone.
#[derive(Clone)]
pub struct Outbound {
    inner: Arc<Inner>,
    /// Ends the tasks, which hold the rest, with the last clone.
    _guard: Arc<DropGuard>,
}

struct Inner {
    store: Store,
    ambient: Ambient,
    federation: Federation,
    queues: Mutex<Queues>,
    news: Mutex<News>,
    /// Has the stream's follower look again.
    nudge: Notify,
    /// How the ids of this run's transactions begin, and how many there were.
    run: String,
    transactions: AtomicU64,
    failures: AtomicU64,
    recorded: Mutex<Recorded>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

/// What was written last, and when.
#[derive(Clone, Copy, Debug)]
struct Recorded {
    common: Position,
    at: Timestamp,
}

/// How the engine is doing, for operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboundStatus {
    /// What the queues hold.
    pub queues: QueueStatus,
    /// How many transactions were sent since the start, counting none twice.
    pub transactions: u64,
    /// How many attempts have failed since the start.
    pub failures: u64,
    /// How many changes of the store have not been looked at.
    pub unread_changes: u64,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Outbound").field(&self.inner.federation.origin()).finish()
    }
}

impl Outbound {
    /// Starts the engine where it was stopped.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn start(store: Store, ambient: Ambient, federation: Federation) -> Result<Self, StorageError> {
        let common = store.outbound_position().await?;
        let now = ambient.now();
        let mut inner = Inner {
            queues: Mutex::new(Queues::new(common)),
            news: Mutex::default(),
            nudge: Notify::new(),
            run: ambient.chance.text(12),
            transactions: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            recorded: Mutex::new(Recorded { common, at: now }),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
            store,
            ambient,
            federation,
        };
        inner.restore(common).await?;
        let inner = Arc::new(inner);
        let head = inner.store.follow();
        inner.tasks.spawn(follow(Arc::clone(&inner), head));
        let guard = Arc::new(inner.closing.clone().drop_guard());
        Ok(Self { inner, _guard: guard })
    }

    /// Begins to end the tasks. What was not told is told after the next start.
    pub fn stop(&self) {
        self.inner.closing.cancel();
    }

    /// Ends the tasks, waits for their end, and writes where the servers stand.
    pub async fn close(&self) {
        self.stop();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        if let Err(error) = self.inner.record().await {
            tracing::warn!(%error, "cannot write how far other servers were told; some of it is told again");
        }
    }

    /// Takes note that a server has called us: if it did not answer lately it is tried again at once.
    pub fn heard_from(&self, server: &ServerName) {
        if self.inner.news().hear_from(server) {
            self.inner.nudge.notify_one();
        }
    }

    /// Takes note that a user of this server types in a room, or goes on to, or does not any more.
    pub fn tell_typing(&self, room: RoomSn, user: UserSn, typing: bool) {
        if self.inner.news().add_typing(room, user, typing, self.inner.ambient.now()) {
            self.inner.nudge.notify_one();
        }
    }

    /// Takes note of the presence of a user of this server.
    pub fn tell_presence(&self, user: UserSn, update: PresenceUpdate) {
        self.inner.news().add_presence(user, update);
        self.inner.nudge.notify_one();
    }

    /// How the engine is doing.
    pub fn status(&self) -> OutboundStatus {
        let inner = &self.inner;
        let queues = inner.queues();
        let unread = inner.store.head().0.saturating_sub(queues.followed.0);
        OutboundStatus {
            queues: queues.status(),
            transactions: inner.transactions.load(Ordering::Relaxed),
            failures: inner.failures.load(Ordering::Relaxed),
            unread_changes: u64::try_from(unread).unwrap_or(0),
        }
    }
}

/// Follows the stream and starts what is due, until the engine closes.
async fn follow(inner: Arc<Inner>, mut head: HeadFollower) {
    let clock = Arc::clone(&inner.ambient.clock);
    loop {
        head.see();
        let pause = match inner.closing.run_until_cancelled(inner.look()).await {
            None => return,
            Some(Ok(())) => None,
            Some(Err(error)) => {
                tracing::error!(%error, "cannot find out what other servers are to be told; trying again");
                Some(inner.ambient.now().plus(PAUSE))
            }
        };
        let next = pause.or_else(|| inner.next_due());
        let sleep = async {
            match next {
                Some(next) => clock.sleep(next.since(clock.now())).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = inner.closing.cancelled() => return,
            () = inner.nudge.notified(), if pause.is_none() => {}
            changed = head.changed(), if pause.is_none() => if changed.is_err() { return },
            () = sleep => {}
        }
    }
}

impl Inner {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_record(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This server's name.
    fn own(&self) -> &ServerName {
        self.federation.origin()
    }

    /// The id of a new transaction.
    fn new_transaction_id(&self) -> String {
        let number = self.transactions.fetch_add(1, Ordering::Relaxed);
        format!("{}{number}", self.run)
    }

    /// Counts an attempt that failed.
    fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Brings back what the store says of servers that are to be told something.
    async fn restore(&mut self, common: Position) -> Result<(), StorageError> {
        let now = self.ambient.now();
        let mut set = WriteSet::new();
        set.delete_old_outgoing_edus(now.millis() - i64::try_from(KEEP_EDUS.as_millis()).unwrap_or(0));
        let mut lagging = self.store.lagging_servers().await?;
        let head = self.store.head();
        if head.0 - common.0 > LONGEST_GAP {
            let known: BTreeSet<OwnedServerName> = lagging.iter().map(|server| server.0.clone()).collect();
            let own = self.own().to_owned();
            let servers = self.store.servers_in_rooms().await?;
            for server in servers.into_iter().filter(|server| *server != own && !known.contains(server)) {
                set.put_lagging_server(&server, common);
                lagging.push((server, common));
            }
            set.move_outbound_position(head);
            self.queues().finish_reading(head);
            self.last_record().common = head;
        }
        self.store.commit(set).await.map_err(refused)?;
        let with_edus = self.store.servers_with_outgoing_edus().await?;
        let mut queues = self.queues();
        for (server, arrived) in lagging {
            queues.restore_lagging(server, arrived, now);
        }
        for server in with_edus {
            queues.add(&server, now, |queue| queue.add_stored_edus());
        }
        Ok(())
    }

    /// Takes notice of what is new, starts to tell those who are due, and writes where the servers stand.
    async fn look(self: &Arc<Self>) -> Result<(), StorageError> {
        self.take_news().await?;
        loop {
            let followed = self.queues().followed;
            let until = self.store.head().min(Position(followed.0 + AT_ONCE));
            if until <= followed {
                break;
            }
            self.queues().begin_to_read(until);
            self.notice(followed, until).await?;
            self.queues().finish_reading(until);
            self.start_due();
        }
        self.start_due();
        if self.record_due().is_some_and(|due| due <= self.ambient.now()) {
            self.record().await?;
        }
        Ok(())
    }

    fn start_due(self: &Arc<Self>) {
        let due = self.queues().take_due(self.ambient.now());
        for server in due {
            let task = sender::run(Arc::clone(self), server);
            let closing = self.closing.clone();
            self.tasks.spawn(async move { closing.run_until_cancelled(task).await });
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        let due = self.queues().next_due(self.ambient.now());
        due.into_iter().chain(self.record_due()).min()
    }

    /// Takes notice of the changes between two positions.
    async fn notice(&self, after: Position, until: Position) -> Result<(), StorageError> {
        match self.store.changes_between(after, until) {
            Some(changes) => {
                for change in changes {
                    match change.change {
                        Change::Event { event, .. } => self.notice_event(change.position, event).await?,
                        Change::Receipt { room, user, private: false } => {
                            self.notice_receipt(change.position, room, user).await?;
                        }
                        Change::OutgoingEdu { server } => {
                            self.queues().add(&server, self.ambient.now(), |queue| queue.add_stored_edus());
                        }
                        _ => {}
                    }
                }
            }
            // Memory does not reach back so far: the engine has just started. What was put down it knows already.
            None => {
                let limit = usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
                for (position, _, event) in self.store.events_between(after, until, limit).await? {
                    self.notice_event(position, event).await?;
                }
                for (position, room, user) in self.store.public_receipts_between(after, until).await? {
                    self.notice_receipt(position, room, user).await?;
                }
            }
        }
        Ok(())
    }

    async fn notice_event(&self, position: Position, event: EventSn) -> Result<(), StorageError> {
        let event = self.store.event(event).await?;
        let Some(audience) = Audience::of(&self.store, self.own(), &event).await? else { return Ok(()) };
        let now = self.ambient.now();
        let mut queues = self.queues();
        for server in audience.iter() {
            queues.add(server, now, |queue| queue.add_event(position, event.sn));
        }
        Ok(())
    }

    async fn notice_receipt(
        &self,
        position: Position,
        room: RoomSn,
        user: UserSn,
    ) -> Result<(), StorageError> {
        let servers = self.store.servers_of_room(room).await?;
        if servers.len() <= 1 || self.store.user_id(user).await?.server_name() != self.own() {
            return Ok(());
        }
        let due = self.ambient.now().plus(GATHER);
        let mut queues = self.queues();
        for server in servers.keys().filter(|server| **server != *self.own()) {
            queues.add(server, due, |queue| queue.add_receipt(room, user, position));
        }
        Ok(())
    }

    async fn take_news(&self) -> Result<(), StorageError> {
        let Taken { typing, presence, heard_from } = self.news().take();
        let now = self.ambient.now();
        for server in heard_from {
            self.queues().heard_from(&server, now, TRY_AT_MOST_EVERY);
        }
        for (room, user, typing) in typing {
            let servers = self.store.servers_of_room(room).await?;
            if servers.len() <= 1 || self.store.user_id(user).await?.server_name() != self.own() {
                continue;
            }
            let mut queues = self.queues();
            for server in servers.keys().filter(|server| **server != *self.own()) {
                queues.add(server, now, |queue| queue.add_typing(room, user, typing));
            }
        }
        for (user, update) in presence {
            let servers = self.servers_with(user).await?;
            let mut queues = self.queues();
            for server in servers {
                queues.add(&server, now.plus(GATHER), |queue| queue.add_presence(user, &update));
            }
        }
        Ok(())
    }

    /// The other servers that share a room with a user.
    async fn servers_with(&self, user: UserSn) -> Result<BTreeSet<OwnedServerName>, StorageError> {
        let mut servers = BTreeSet::new();
        for (room, member) in self.store.rooms_of_user(user).await?.all() {
            if member.membership == Membership::Join {
                servers.extend(self.store.servers_of_room(room).await?.keys().cloned());
            }
        }
        servers.remove(self.own());
        Ok(servers)
    }

    /// When it is to be written where the servers stand; never, if nothing has changed.
    fn record_due(&self) -> Option<Timestamp> {
        let last = *self.last_record();
        let record = self.queues().record();
        let changed = !record.rows.is_empty() || record.common != last.common;
        changed.then(|| last.at.plus(RECORD_EVERY))
    }

    /// Writes where the servers stand.
    async fn record(&self) -> Result<(), StorageError> {
        let record = self.queues().record();
        let now = self.ambient.now();
        if record.rows.is_empty() && record.common == self.last_record().common {
            return Ok(());
        }
        let mut set = WriteSet::new();
        for (server, position) in &record.rows {
            match position {
                Some(position) => set.put_lagging_server(server, *position),
                None => set.delete_lagging_server(server),
            }
        }
        set.move_outbound_position(record.common);
        self.store.commit(set).await.map_err(refused)?;
        self.queues().recorded(&record);
        *self.last_record() = Recorded { common: record.common, at: now };
        Ok(())
    }
}
