//! Time and the database's turns, as a simulated server sees them.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
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
    /// Whether the database works at once, as long as a server starts.
    pub(crate) open: AtomicBool,
}

impl Gate {
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
        if self.gate.open.load(Ordering::Acquire) {
            return Box::pin(std::future::ready(self.gate.turn()));
        }
        let (worker, turn) = oneshot::channel();
        let mut state = self.core.state();
        let about = self.server as u64;
        let nth = state.nth("work", about);
        let delay = match work {
            Work::Read | Work::Write => 20 + state.fate.below(400, "work", &[about, nth]),
            // Now and then a disk takes its time.
            Work::Commit if state.fate.per_mille(30, "slow disk", &[about, nth]) => {
                state.fate.below(80_000, "slow disk for", &[about, nth])
            }
            Work::Commit => 100 + state.fate.below(2_000, "work", &[about, nth]),
            Work::Committed => state.fate.below(200, "work", &[about, nth]),
        };
        match work {
            Work::Read => state.counts.reads += 1,
            Work::Write => state.counts.writes += 1,
            Work::Commit | Work::Committed => {}
        }
        state.after(Duration::from_micros(delay), Entry::Turn { server: self.server, work, worker });
        drop(state);
        Box::pin(async move {
            match turn.await {
                Ok(turn) => turn,
                // The world has ended.
                Err(_) => std::future::pending().await,
            }
        })
    }
}
