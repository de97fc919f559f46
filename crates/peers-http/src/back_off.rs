//! Servers that failed, and until when each is left in peace. Stored, so that a restart does not knock at every
//! dead door of the world at once.
//!
//! The first failure costs five seconds, which a restart of the other server takes; each further one doubles it,
//! up to a day: a server that has been dead for weeks is still tried daily, and whoever comes back is heard from
//! and tried at once. Up to a tenth more, by lot, keeps many servers from coming back in step.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use parvis_ambient::{Ambient, Timestamp};
use parvis_storage::{FailingServer, StorageError, Store, WriteSet};
use ruma::{OwnedServerName, ServerName};
use tokio::sync::Notify;

const FIRST_INTERVAL: Duration = Duration::from_secs(5);
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 3_600);
/// How many failing servers are remembered. Strangers can name any number that do not exist.
const MOST_REMEMBERED: usize = 20_000;

#[derive(Debug)]
struct Failing {
    since: Timestamp,
    retry_at: Timestamp,
    interval: Duration,
    /// Told when the server is heard from.
    recovered: Arc<Notify>,
}

#[derive(Debug, Default)]
struct All {
    failing: HashMap<OwnedServerName, Failing>,
    /// Those whom the store still takes for failing.
    unwritten: Vec<OwnedServerName>,
}

impl All {
    /// Forgets the server that would be tried first, if there are too many.
    fn make_room_for(&mut self, server: &ServerName) {
        if self.failing.len() < MOST_REMEMBERED || self.failing.contains_key(server) {
            return;
        }
        let soonest = self.failing.iter().min_by_key(|(_, failing)| failing.retry_at);
        if let Some(soonest) = soonest.map(|(server, _)| server.clone()) {
            self.failing.remove(&soonest);
            self.unwritten.push(soonest);
        }
    }

    /// What the store has to be told of servers that fail no more.
    fn take_unwritten(&mut self) -> WriteSet {
        let mut set = WriteSet::new();
        self.unwritten.drain(..).for_each(|server| set.delete_failing_server(server.as_str()));
        set
    }
}

/// Who is left in peace. What is in memory is in the store too.
#[derive(Debug)]
pub(crate) struct BackOff {
    store: Store,
    ambient: Ambient,
    all: Mutex<All>,
}

impl BackOff {
    /// Reads who failed before this process started.
    pub(crate) async fn load(store: Store, ambient: Ambient) -> Result<Self, StorageError> {
        let stored = store.failing_servers().await?;
        let failing = stored.into_iter().filter_map(|stored| {
            let failing = Failing {
                since: Timestamp(stored.failing_since_ts),
                retry_at: Timestamp(stored.retry_ts),
                interval: Duration::from_millis(u64::try_from(stored.interval_ms).unwrap_or(0)),
                recovered: Arc::default(),
            };
            Some((ServerName::parse(&stored.server_name).ok()?, failing))
        });
        let all = Mutex::new(All { failing: failing.collect(), unwritten: Vec::new() });
        Ok(Self { store, ambient, all })
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.ambient.now()
    }

    /// How long a server is still left in peace, if it is.
    pub(crate) fn wait(&self, server: &ServerName) -> Option<Duration> {
        let retry_at = self.lock().failing.get(server)?.retry_at;
        Some(retry_at.since(self.now())).filter(|wait| !wait.is_zero())
    }

    /// Completes when a server may be tried.
    pub(crate) async fn until_due(&self, server: &ServerName) {
        loop {
            let (wait, recovered) = match self.lock().failing.get(server) {
                None => return,
                Some(failing) => {
                    (failing.retry_at.since(self.now()), Arc::clone(&failing.recovered).notified_owned())
                }
            };
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                biased;
                () = recovered => {}
                () = self.ambient.clock.sleep(wait) => {}
            }
        }
    }

    /// Notes that a server has called. The store learns of it with the next write: nothing is lost if there is
    /// none.
    pub(crate) fn recover(&self, server: &ServerName) -> bool {
        let mut all = self.lock();
        let Some(failing) = all.failing.remove(server) else { return false };
        failing.recovered.notify_waiters();
        let silent_for = self.now().since(failing.since).as_secs();
        tracing::info!(%server, silent_for, "server is back");
        all.unwritten.push(server.to_owned());
        true
    }

    /// Notes that a server was reached.
    pub(crate) async fn reached(&self, server: &ServerName) {
        if self.recover(server) {
            let set = self.lock().take_unwritten();
            self.write(set).await;
        }
    }

    /// Notes that a try that began then has failed; it is not repeated before `at_least` has passed. Only a try
    /// that was due makes the wait longer: of those that run side by side, one.
    pub(crate) async fn failed(&self, server: &ServerName, began: Timestamp, at_least: Duration) {
        let now = self.now();
        let set = {
            let mut all = self.lock();
            let before = all.failing.get(server);
            if before.is_some_and(|before| began < before.retry_at) {
                return;
            }
            let failing = self.next(before, now, at_least);
            all.make_room_for(server);
            let mut set = all.take_unwritten();
            set.put_failing_server(&FailingServer {
                server_name: server.to_string(),
                failing_since_ts: failing.since.millis(),
                retry_ts: failing.retry_at.millis(),
                interval_ms: i64::try_from(failing.interval.as_millis()).unwrap_or(i64::MAX),
            });
            all.failing.insert(server.to_owned(), failing);
            set
        };
        self.write(set).await;
    }

    fn next(&self, before: Option<&Failing>, now: Timestamp, at_least: Duration) -> Failing {
        let doubled = before.map_or(FIRST_INTERVAL, |before| before.interval.saturating_mul(2));
        let interval = doubled.max(at_least).min(LONGEST_INTERVAL);
        let tenth = u64::try_from(interval.as_millis() / 10).unwrap_or(0);
        let more = self.ambient.chance.number() % (tenth + 1);
        Failing {
            since: before.map_or(now, |before| before.since),
            retry_at: now.plus(interval).plus(Duration::from_millis(more)),
            interval,
            recovered: before.map_or_else(Arc::default, |before| Arc::clone(&before.recovered)),
        }
    }

    async fn write(&self, set: WriteSet) {
        if let Err(error) = self.store.commit(set).await {
            tracing::error!(%error, "who is left in peace cannot be written down");
        }
    }
}
