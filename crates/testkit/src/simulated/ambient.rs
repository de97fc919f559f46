//! Time and the database's turns, as a simulated server sees them.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parvis_ambient::{Clock, Timestamp};
use parvis_storage::{Pace, Turn, Work};
use tokio::sync::{Notify, oneshot};

use super::core::{Core, Entry, ServerIndex};

/// What all clocks show at the beginning, in milliseconds since the Unix epoch.
pub(crate) const START_MS: i64 = 1_700_000_000_000;

/// A server's clock. It shows the world's time, wrong by a certain amount.
pub(crate) struct WorldClock {
    pub(crate) core: Arc<Core>,
    pub(crate) server: ServerIndex,
    pub(crate) wrong_by_ms: i64,
}

impl std::fmt::Debug for WorldClock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "WorldClock({})", self.server)
    }
}

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.core.state().now / 1000).unwrap_or(i64::MAX);
        Timestamp(START_MS + self.wrong_by_ms + passed)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let (sleeper, woken) = oneshot::channel();
        self.core.state().after(duration, Entry::Wake { server: self.server, sleeper });
        Box::pin(async move {
            if woken.await.is_err() {
                // The world has ended.
                std::future::pending::<()>().await;
            }
        })
    }
}

/// How much a server's database works at the moment, in real time.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    working: AtomicUsize,
    changed: Notify,
    /// As long as a server starts: the turns that are waited for, one of which is given at a time, at once.
    starting: Mutex<Option<VecDeque<oneshot::Sender<Turn>>>>,
}

impl Gate {
    /// The gate of a server that starts.
    pub(crate) fn starting() -> Self {
        Self { starting: Mutex::new(Some(VecDeque::new())), ..Self::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, Option<VecDeque<oneshot::Sender<Turn>>>> {
        self.starting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on turns are the world's to give.
    pub(crate) fn end_start(&self) {
        *self.waiting() = None;
    }

    /// As long as a server starts, waits for a turn beside those that wait already.
    fn queue(&self) -> Option<oneshot::Receiver<Turn>> {
        let (worker, turn) = oneshot::channel();
        self.waiting().as_mut()?.push_back(worker);
        Some(turn)
    }

    /// Gives the next turn to who waits for one while a server starts. Says whether somebody did.
    pub(crate) fn grant_next(self: &Arc<Self>) -> bool {
        let next = self.waiting().as_mut().and_then(VecDeque::pop_front);
        next.is_some_and(|worker| {
            drop(worker.send(self.turn()));
            true
        })
    }

    /// A turn that counts as work until it is dropped.
    pub(crate) fn turn(self: &Arc<Self>) -> Turn {
        self.working.fetch_add(1, Ordering::AcqRel);
        Turn::noticed_by(Working(Arc::clone(self)))
    }

    /// Completes when the database does not work.
    pub(crate) async fn rest(&self) {
        while self.working.load(Ordering::Acquire) > 0 {
            self.changed.notified().await;
        }
    }

    /// Whether the database works.
    pub(crate) fn is_working(&self) -> bool {
        self.working.load(Ordering::Acquire) > 0
    }
}

struct Working(Arc<Gate>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.working.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_one();
    }
}

/// The pace of a server's database: one piece of work at a time in the whole world, each after a while.
pub(crate) struct WorldPace {
    pub(crate) core: Arc<Core>,
    pub(crate) server: ServerIndex,
    pub(crate) gate: Arc<Gate>,
}

impl std::fmt::Debug for WorldPace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "WorldPace({})", self.server)
    }
}

impl Pace for WorldPace {
    fn turn(&self, work: Work) -> Pin<Box<dyn Future<Output = Turn> + Send + '_>> {
        if let Some(turn) = self.gate.queue() {
            return Box::pin(granted(turn));
        }
        let (worker, turn) = oneshot::channel();
        let mut state = self.core.state();
        // Which of several tasks goes first where all are woken at once is not the seed's to say; so a statement's
        // time follows from what it is and not from what others ask for.
        let name = match work {
            Work::Read(name) => name,
            Work::Write => "a transaction",
            Work::Commit => "a commit",
            Work::Committed => "after a commit",
        };
        let server = self.server as u64;
        let nth = state.nth(name, server);
        let about = [server, nth];
        let delay = match work {
            Work::Read(_) | Work::Write => 20 + state.fate.below(400, name, &about),
            // Now and then a disk takes its time.
            Work::Commit if state.fate.per_mille(30, "slow disk", &about) => {
                state.fate.below(80_000, "slow disk for", &about)
            }
            Work::Commit => 100 + state.fate.below(2_000, name, &about),
            Work::Committed => state.fate.below(200, name, &about),
        };
        match work {
            Work::Read(_) => state.counts.reads += 1,
            Work::Write => state.counts.writes += 1,
            Work::Commit | Work::Committed => {}
        }
        if state.turns_are_noted {
            state.note(|| format!("{server} {work:?} {nth}"));
        }
        state.after(Duration::from_micros(delay), Entry::Turn { server: self.server, work, worker });
        drop(state);
        Box::pin(granted(turn))
    }
}

/// A turn, as soon as it is given.
async fn granted(turn: oneshot::Receiver<Turn>) -> Turn {
    match turn.await {
        Ok(turn) => turn,
        // The world has ended.
        Err(_) => std::future::pending().await,
    }
}
