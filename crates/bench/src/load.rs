//! The closed loop: workers that each do one operation after the other, until a count or a time is reached.
//! It knows neither HTTP nor Matrix.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{clock, connection::Failure, measure::Samples};

/// A worker gives up after this many failures in a row: the server is gone, or the setup is wrong.
const FAILURES_IN_A_ROW: usize = 20;

/// One operation, again and again.
pub(crate) trait Worker: Send + 'static {
    /// Does operation number `n` of the whole loop.
    fn step(&mut self, n: usize) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Where a loop ends, whichever comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    /// Operations of all workers together.
    pub(crate) operations: usize,
    /// Time.
    pub(crate) time: Duration,
}

/// What came out, and the workers to go on with.
pub(crate) struct Loaded<W> {
    /// All workers' samples.
    pub(crate) samples: Samples,
    /// From the first start to the last end.
    pub(crate) active: Duration,
    /// The workers with their open connections.
    pub(crate) workers: Vec<W>,
}

/// Runs all workers at the same time up to the bound.
pub(crate) async fn closed_loop<W: Worker>(workers: Vec<W>, bound: Bound) -> Loaded<W> {
    let next = Arc::new(AtomicUsize::new(0));
    let began = clock::now();
    let mut running = JoinSet::new();
    for worker in workers {
        running.spawn(work(worker, Arc::clone(&next), bound, began));
    }
    let mut loaded = Loaded { samples: Samples::default(), active: Duration::ZERO, workers: Vec::new() };
    while let Some(ended) = running.join_next().await {
        // A worker that panicked has broken an assumption of this program: its samples are lost, say so.
        match ended {
            Ok((worker, samples)) => {
                loaded.samples.absorb(samples);
                loaded.workers.push(worker);
            }
            Err(error) => loaded.samples.count_failures(error.to_string(), 1),
        }
    }
    loaded.active = clock::now().duration_since(began);
    loaded
}

async fn work<W: Worker>(
    mut worker: W,
    next: Arc<AtomicUsize>,
    bound: Bound,
    began: Instant,
) -> (W, Samples) {
    let mut samples = Samples::default();
    let mut failures = 0;
    while failures < FAILURES_IN_A_ROW && clock::now().duration_since(began) < bound.time {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= bound.operations {
            break;
        }
        let start = clock::now();
        match worker.step(n).await {
            Ok(()) => {
                samples.succeeded(clock::now().duration_since(start));
                failures = 0;
            }
            Err(failure) => {
                samples.failed(&failure);
                failures += 1;
            }
        }
    }
    (worker, samples)
}
