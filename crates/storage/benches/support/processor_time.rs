//! Processor time of all threads of the process, to the nanosecond, as Linux counts it.

use std::fs;

use criterion::{
    Throughput,
    measurement::{Measurement, ValueFormatter, WallTime},
};

/// Counts in nanoseconds. A thread that ends takes its count with it: measure what goes on in threads that stay.
pub(crate) struct ProcessorTime;

impl Measurement for ProcessorTime {
    type Intermediate = u64;
    type Value = u64;

    fn start(&self) -> u64 {
        spent()
    }

    fn end(&self, start: u64) -> u64 {
        spent().saturating_sub(start)
    }

    fn add(&self, left: &u64, right: &u64) -> u64 {
        left + right
    }

    fn zero(&self) -> u64 {
        0
    }

    #[expect(clippy::cast_precision_loss, reason = "a measurement is not exact to the nanosecond")]
    fn to_f64(&self, value: &u64) -> f64 {
        *value as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        &Nanoseconds
    }
}

fn spent() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map_while(Result::ok);
    let statistics = tasks.filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok());
    statistics.filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok()).sum()
}

/// Written as what passes on the wall is.
struct Nanoseconds;

impl ValueFormatter for Nanoseconds {
    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_values(typical, values)
    }

    fn scale_throughputs(&self, typical: f64, throughput: &Throughput, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_throughputs(typical, throughput, values)
    }

    fn scale_for_machines(&self, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_for_machines(values)
    }
}
