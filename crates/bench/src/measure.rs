//! From samples and readings to one line of the report: throughput, percentiles, and what the server, this
//! generator and everybody else on the machine spent meanwhile.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    clock,
    connection::Failure,
    process::{self, Watch},
};

/// How often memory is looked at for the peak.
const MEMORY_EVERY: Duration = Duration::from_millis(500);
/// One look at the server's processor time while waiting for it to come to rest.
const REST_STEP: Duration = Duration::from_millis(100);
/// It rests when it used at most this much (milliseconds) in each of two such steps.
const REST_CPU_MS: u64 = 10;
/// Longest wait for rest.
const REST_LIMIT: Duration = Duration::from_secs(30);

/// Latencies of operations that succeeded, and a count of those that did not.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    latencies_us: Vec<u32>,
    failures: BTreeMap<String, u64>,
}

impl Samples {
    /// One operation that took this long.
    pub(crate) fn succeeded(&mut self, latency: Duration) {
        self.latencies_us.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    /// One that failed.
    pub(crate) fn failed(&mut self, failure: &Failure) {
        self.count_failures(failure.to_string(), 1);
    }

    /// Several that failed alike.
    pub(crate) fn count_failures(&mut self, why: String, count: u64) {
        if count > 0 {
            *self.failures.entry(why).or_default() += count;
        }
    }

    /// Takes over what another worker gathered.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.latencies_us.extend(other.latencies_us);
        for (why, count) in other.failures {
            self.count_failures(why, count);
        }
    }

    /// How many succeeded.
    pub(crate) fn operations(&self) -> usize {
        self.latencies_us.len()
    }

    /// The median latency of the first tenth of the operations and of the last, in milliseconds: whether what grows makes
    /// the work dearer. Only of one worker's, which stand in their order.
    pub(crate) fn tenths_p50_ms(&self) -> Option<(f64, f64)> {
        let tenth = self.latencies_us.len() / 10;
        let median = |part: &[u32]| {
            let mut part = part.to_vec();
            part.sort_unstable();
            part.get(part.len() / 2).map(|us| f64::from(*us) / 1000.0)
        };
        let first = self.latencies_us.get(..tenth)?;
        let last = self.latencies_us.get(self.latencies_us.len() - tenth..)?;
        median(first).zip(median(last))
    }

    /// Percentiles so far.
    pub(crate) fn percentiles(&mut self) -> Percentiles {
        self.latencies_us.sort_unstable();
        Percentiles {
            p50: self.percentile_ms(50),
            p95: self.percentile_ms(95),
            p99: self.percentile_ms(99),
            max: self.percentile_ms(100),
        }
    }

    /// Nearest rank, in milliseconds; 0 when there is no sample.
    fn percentile_ms(&self, percent: usize) -> f64 {
        let rank = (self.latencies_us.len() * percent).div_ceil(100).saturating_sub(1);
        self.latencies_us.get(rank).map_or(0.0, |us| f64::from(*us) / 1000.0)
    }
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

/// What the watched processes spent.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ServerCost {
    pub(crate) cpu_ms: u64,
    pub(crate) cpu_ms_per_operation: f64,
    /// Resident at the end, see [`process::Memory`].
    pub(crate) resident_mib: f64,
    /// Greatest of the looks taken every half second.
    pub(crate) peak_mib: f64,
    /// Greatest `VmHWM` of one process since its start.
    pub(crate) largest_process_peak_mib: f64,
}

/// One measured shape of one scenario.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) scenario: String,
    pub(crate) shape: String,
    /// What the operations are, in the plural.
    pub(crate) unit: String,
    pub(crate) operations: usize,
    /// Failed operations by reason; they are in no other figure.
    pub(crate) failures: BTreeMap<String, u64>,
    pub(crate) seconds: f64,
    pub(crate) per_second: f64,
    pub(crate) latency_ms: Percentiles,
    pub(crate) server: Option<ServerCost>,
    pub(crate) client_cpu_ms_per_operation: f64,
    /// Share of the machine's processors that neither the server nor this generator used: above a few per
    /// cent, somebody else was working and the figures are not to be trusted.
    pub(crate) others_cpu_percent: f64,
    /// Figures that only this scenario has.
    pub(crate) facts: BTreeMap<String, f64>,
}

/// What a measured shape is called.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) scenario: &'static str,
    pub(crate) shape: String,
    pub(crate) unit: &'static str,
}

/// Readings from the beginning of a measurement.
pub(crate) struct Meter {
    watch: Watch,
    began: Instant,
    server_cpu_ms: u64,
    own_cpu_ms: u64,
    machine_cpu_ms: u64,
    peak_kib: Arc<AtomicU64>,
    memory_looks: JoinHandle<()>,
}

impl Meter {
    /// Waits until the server rests, then starts to count.
    pub(crate) async fn start(watch: &Watch) -> Self {
        rest(watch).await;
        let peak_kib = Arc::new(AtomicU64::new(0));
        let memory_looks = tokio::spawn(look_at_memory(watch.clone(), Arc::clone(&peak_kib)));
        Self {
            watch: watch.clone(),
            began: clock::now(),
            server_cpu_ms: watch.cpu_ms(),
            own_cpu_ms: process::own_cpu_ms(),
            machine_cpu_ms: process::machine_cpu_ms(),
            peak_kib,
            memory_looks,
        }
    }

    /// Waits until the server rests again (what it does after its answer is part of the cost) and reads.
    /// `active` is the time in which the operations were done.
    pub(crate) async fn finish(self, name: Name, mut samples: Samples, active: Duration) -> Outcome {
        rest(&self.watch).await;
        self.memory_looks.abort();
        let server_ms = self.watch.cpu_ms().saturating_sub(self.server_cpu_ms);
        let own_ms = process::own_cpu_ms().saturating_sub(self.own_cpu_ms);
        let machine_ms = process::machine_cpu_ms().saturating_sub(self.machine_cpu_ms);
        let others_ms = machine_ms.saturating_sub(server_ms + own_ms);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let capacity_ms = clock::now().duration_since(self.began).as_secs_f64() * 1000.0 * count(cores);
        let operations = samples.operations();
        let seconds = active.as_secs_f64();
        Outcome {
            scenario: name.scenario.to_owned(),
            shape: name.shape,
            unit: name.unit.to_owned(),
            operations,
            seconds,
            per_second: ratio(count(operations), seconds),
            latency_ms: samples.percentiles(),
            server: (!self.watch.is_empty()).then(|| self.server_cost(server_ms, operations)),
            client_cpu_ms_per_operation: ratio(millis(own_ms), count(operations)),
            others_cpu_percent: 100.0 * ratio(millis(others_ms), capacity_ms),
            failures: samples.failures,
            facts: BTreeMap::new(),
        }
    }

    fn server_cost(&self, cpu_ms: u64, operations: usize) -> ServerCost {
        let memory = self.watch.memory();
        let peak_kib = self.peak_kib.load(Ordering::Relaxed).max(memory.resident_kib);
        ServerCost {
            cpu_ms,
            cpu_ms_per_operation: ratio(millis(cpu_ms), count(operations)),
            resident_mib: millis(memory.resident_kib) / 1024.0,
            peak_mib: millis(peak_kib) / 1024.0,
            largest_process_peak_mib: millis(memory.largest_peak_kib) / 1024.0,
        }
    }
}

/// Waits until the watched processes have next to nothing to do, at most half a minute. Without processes to
/// watch it waits half a second.
pub(crate) async fn rest(watch: &Watch) {
    if watch.is_empty() {
        return sleep(Duration::from_millis(500)).await;
    }
    let began = clock::now();
    let mut quiet = 0;
    let mut last = watch.cpu_ms();
    while quiet < 2 && clock::now().duration_since(began) < REST_LIMIT {
        sleep(REST_STEP).await;
        let used = watch.cpu_ms();
        quiet = if used.saturating_sub(last) <= REST_CPU_MS { quiet + 1 } else { 0 };
        last = used;
    }
}

async fn look_at_memory(watch: Watch, peak_kib: Arc<AtomicU64>) {
    loop {
        let watch = watch.clone();
        // Reading a page of every process takes milliseconds: not on the threads that measure.
        let Ok(memory) = tokio::task::spawn_blocking(move || watch.memory()).await else { return };
        peak_kib.fetch_max(memory.resident_kib, Ordering::Relaxed);
        sleep(MEMORY_EVERY).await;
    }
}

fn ratio(of: f64, to: f64) -> f64 {
    if to > 0.0 { of / to } else { 0.0 }
}

/// Exact up to 2⁵³, which no count here reaches.
fn count(n: usize) -> f64 {
    n as f64
}

fn millis(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Samples;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut samples = Samples::default();
        for ms in (1..=200).rev() {
            samples.succeeded(Duration::from_millis(ms));
        }
        let found = samples.percentiles();
        assert_eq!((found.p50, found.p95, found.p99, found.max), (100.0, 190.0, 198.0, 200.0));
    }

    #[test]
    fn tenths_tell_what_grows_dearer() {
        let mut samples = Samples::default();
        assert_eq!(samples.tenths_p50_ms(), None);
        for ms in 1..=100 {
            samples.succeeded(Duration::from_millis(ms));
        }
        assert_eq!(samples.tenths_p50_ms(), Some((6.0, 96.0)));
    }

    #[test]
    fn no_samples_give_zeros() {
        assert_eq!(Samples::default().percentiles().p99, 0.0);
    }
}
