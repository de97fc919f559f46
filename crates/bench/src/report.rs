//! How the outcomes are shown: a table for people, JSON for `cargo xtask bench`.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;

use crate::measure::Outcome;

/// Everything of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The server's address.
    pub(crate) url: String,
    /// Processors of this machine, which server and generator share.
    pub(crate) cores: usize,
    /// Whether sizes were those of `--quick`.
    pub(crate) quick: bool,
    /// In the order measured.
    pub(crate) outcomes: Vec<Outcome>,
    /// Scenarios that could not be prepared, and why.
    pub(crate) not_measured: BTreeMap<String, String>,
}

impl Report {
    /// One line per outcome, and below it what else is worth knowing.
    pub(crate) fn table(&self) -> String {
        let mut out = format!(
            "{:<13}{:<24}{:>8}{:>10}{:>9}{:>9}{:>9}{:>11}{:>9}{:>9}{:>9}\n",
            "scenario",
            "shape",
            "ops",
            "ops/s",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "cpu ms/op",
            "rss MiB",
            "peak MiB",
            "others %"
        );
        // Writing to a String cannot fail, here and below.
        for outcome in &self.outcomes {
            row(&mut out, outcome);
        }
        for (scenario, why) in &self.not_measured {
            let _ = writeln!(out, "NOT MEASURED: {scenario}: {why}");
        }
        out
    }
}

fn row(out: &mut String, outcome: &Outcome) {
    let (cpu, resident, peak) = outcome.server.map_or(("-".into(), "-".into(), "-".into()), |server| {
        (
            format!("{:.3}", server.cpu_ms_per_operation),
            format!("{:.0}", server.resident_mib),
            format!("{:.0}", server.peak_mib),
        )
    });
    let latency = outcome.latency_ms;
    let _ = writeln!(
        out,
        "{:<13}{:<24}{:>8}{:>10.1}{:>9.2}{:>9.2}{:>9.2}{:>11}{:>9}{:>9}{:>9.1}",
        outcome.scenario,
        outcome.shape,
        outcome.operations,
        outcome.per_second,
        latency.p50,
        latency.p95,
        latency.p99,
        cpu,
        resident,
        peak,
        outcome.others_cpu_percent
    );
    for (why, count) in &outcome.failures {
        let _ = writeln!(out, "    FAILED {count} x {why}");
    }
    let facts: Vec<String> = outcome.facts.iter().map(|(name, value)| format!("{name} {value:.2}")).collect();
    if !facts.is_empty() {
        let _ = writeln!(out, "    {}", facts.join(", "));
    }
}
