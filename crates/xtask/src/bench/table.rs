//! From the load generator's reports to one Markdown table: absolute figures, and how Parvis compares.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;

use super::Kind;

/// Above this share of the processors used by others, a figure is marked.
const OTHERS_TOLERATED_PERCENT: f64 = 5.0;

/// One server's report.
pub(crate) struct Measured {
    /// Which server.
    pub(crate) kind: Kind,
    /// How often it was measured; the report has the medians.
    pub(crate) rounds: usize,
    /// What the generator wrote.
    pub(crate) report: Report,
}

/// The generator's report, as far as the table needs it.
#[derive(Deserialize)]
pub(crate) struct Report {
    cores: usize,
    quick: bool,
    outcomes: Vec<Outcome>,
    not_measured: BTreeMap<String, String>,
}

impl Report {
    /// Whether every scenario could be measured.
    pub(crate) fn is_complete(&self) -> bool {
        self.not_measured.is_empty()
    }

    /// One report of several rounds: of each figure the median. `None` where there are none.
    pub(crate) fn median(rounds: Vec<Self>) -> Option<Self> {
        let mut outcomes: Vec<Vec<Outcome>> = Vec::new();
        let mut rounds = rounds.into_iter();
        let mut whole = rounds.next()?;
        for outcome in std::mem::take(&mut whole.outcomes).into_iter().chain(rounds.flat_map(|mut round| {
            whole.not_measured.append(&mut round.not_measured);
            round.outcomes
        })) {
            match outcomes
                .iter_mut()
                .find(|of| of[0].scenario == outcome.scenario && of[0].shape == outcome.shape)
            {
                Some(of) => of.push(outcome),
                None => outcomes.push(vec![outcome]),
            }
        }
        whole.outcomes = outcomes.into_iter().filter_map(Outcome::median).collect();
        Some(whole)
    }
}

#[derive(Deserialize)]
struct Outcome {
    scenario: String,
    shape: String,
    unit: String,
    operations: usize,
    failures: BTreeMap<String, u64>,
    per_second: f64,
    latency_ms: Latency,
    server: Option<Server>,
    others_cpu_percent: f64,
}

impl Outcome {
    /// The same shape, measured several times.
    fn median(times: Vec<Self>) -> Option<Self> {
        let of = |figure: fn(&Self) -> f64| median(times.iter().map(figure).collect());
        let latency =
            |figure: fn(&Latency) -> f64| median(times.iter().map(|one| figure(&one.latency_ms)).collect());
        let servers: Vec<&Server> = times.iter().filter_map(|one| one.server.as_ref()).collect();
        let server = |figure: fn(&Server) -> f64| median(servers.iter().map(|one| figure(one)).collect());
        let mut failures = BTreeMap::new();
        for (why, count) in times.iter().flat_map(|one| &one.failures) {
            *failures.entry(why.clone()).or_insert(0) += count;
        }
        let first = times.first()?;
        Some(Self {
            scenario: first.scenario.clone(),
            shape: first.shape.clone(),
            unit: first.unit.clone(),
            operations: times.iter().map(|one| one.operations).max()?,
            failures,
            per_second: of(|one| one.per_second)?,
            latency_ms: Latency {
                p50: latency(|one| one.p50)?,
                p95: latency(|one| one.p95)?,
                p99: latency(|one| one.p99)?,
            },
            server: server(|one| one.cpu_ms_per_operation)
                .zip(server(|one| one.peak_mib))
                .map(|(cpu_ms_per_operation, peak_mib)| Server { cpu_ms_per_operation, peak_mib }),
            others_cpu_percent: of(|one| one.others_cpu_percent)?,
        })
    }
}

/// The one in the middle; of an even number the mean of the two there.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (below, above) = (values.get(values.len().saturating_sub(1) / 2)?, values.get(values.len() / 2)?);
    Some(f64::midpoint(*below, *above))
}

#[derive(Deserialize)]
struct Latency {
    p50: f64,
    p95: f64,
    p99: f64,
}

#[derive(Deserialize)]
struct Server {
    cpu_ms_per_operation: f64,
    peak_mib: f64,
}

/// One figure of an outcome.
struct Measure {
    name: &'static str,
    more_is_better: bool,
    of: fn(&Outcome) -> Option<f64>,
}

const MEASURES: [Measure; 6] = [
    Measure { name: "per second", more_is_better: true, of: |o| Some(o.per_second) },
    Measure { name: "p50 ms", more_is_better: false, of: |o| Some(o.latency_ms.p50) },
    Measure { name: "p95 ms", more_is_better: false, of: |o| Some(o.latency_ms.p95) },
    Measure { name: "p99 ms", more_is_better: false, of: |o| Some(o.latency_ms.p99) },
    Measure {
        name: "CPU ms each",
        more_is_better: false,
        of: |o| o.server.as_ref().map(|server| server.cpu_ms_per_operation),
    },
    Measure {
        name: "peak MiB",
        more_is_better: false,
        of: |o| o.server.as_ref().map(|server| server.peak_mib),
    },
];

/// The whole document.
pub(crate) fn markdown(measured: &[Measured], busy_percent: f64) -> String {
    let mut out = String::from("# Measured\n\n");
    if let Some(first) = measured.first() {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            out,
            "One machine with {} cores for server, database and load generator; {busy_percent:.0} % of it was in use \
             by others before the run.",
            first.report.cores
        );
    }
    for one in measured.iter().filter(|one| one.rounds > 1) {
        let _ = writeln!(out, "{}: medians of {} rounds.", one.kind.name(), one.rounds);
    }
    if measured.iter().any(|one| one.report.quick) {
        out.push_str("**A quick run: it shows that everything works; its figures mean nothing.**\n");
    }
    let _ = writeln!(
        out,
        "(!) marks figures taken while others used more than {OTHERS_TOLERATED_PERCENT:.0} % of the machine: not to be \
         trusted. Ratios say how many times better than Synapse.\n"
    );
    table(&mut out, measured);
    floors(&mut out, measured);
    failures(&mut out, measured);
    out
}

fn table(out: &mut String, measured: &[Measured]) {
    let compared = compared(measured);
    out.push_str("| scenario | shape | figure |");
    for one in measured {
        let _ = write!(out, " {} |", one.kind.name());
    }
    for one in &compared {
        let _ = write!(out, " {} × |", one.kind.name());
    }
    out.push_str("\n|---|---|---|");
    out.push_str(&"--:|".repeat(measured.len() + compared.len()));
    out.push('\n');
    for (scenario, shape, unit) in shapes(measured) {
        for measure in &MEASURES {
            let name =
                if measure.more_is_better { format!("{unit} {}", measure.name) } else { measure.name.into() };
            let _ = write!(out, "| {scenario} | {shape} | {name} |");
            for one in measured {
                let _ = write!(out, " {} |", cell(find(one, &scenario, &shape), measure));
            }
            for one in &compared {
                let _ = write!(out, " {} |", times(one, measured, &scenario, &shape, measure));
            }
            out.push('\n');
        }
    }
}

/// The servers that are compared with Synapse: none when it was not measured.
fn compared(measured: &[Measured]) -> Vec<&Measured> {
    let others = measured.iter().filter(|one| !one.kind.is_synapse());
    others.filter(|one| synapse(one, measured).is_some()).collect()
}

/// The Synapse that a server is compared with: the one on the same engine, if there are two.
fn synapse<'a>(one: &Measured, measured: &'a [Measured]) -> Option<&'a Measured> {
    let same = match one.kind {
        Kind::ParvisSqlite | Kind::SynapseSqlite => Kind::SynapseSqlite,
        Kind::ParvisPostgres | Kind::SynapsePostgres => Kind::SynapsePostgres,
    };
    let of_synapse = || measured.iter().filter(|other| other.kind.is_synapse());
    of_synapse().find(|other| other.kind == same).or_else(|| of_synapse().next())
}

/// All shapes in the order of the first report that has them.
fn shapes(measured: &[Measured]) -> Vec<(String, String, String)> {
    let mut shapes = Vec::new();
    for outcome in measured.iter().flat_map(|one| &one.report.outcomes) {
        let shape = (outcome.scenario.clone(), outcome.shape.clone(), outcome.unit.clone());
        if !shapes.contains(&shape) {
            shapes.push(shape);
        }
    }
    shapes
}

fn find<'a>(one: &'a Measured, scenario: &str, shape: &str) -> Option<&'a Outcome> {
    let found = one.report.outcomes.iter().find(|o| o.scenario == scenario && o.shape == shape);
    found.filter(|outcome| outcome.operations > 0)
}

fn cell(outcome: Option<&Outcome>, measure: &Measure) -> String {
    let Some(outcome) = outcome else { return "–".to_owned() };
    let Some(value) = (measure.of)(outcome) else { return "–".to_owned() };
    let mark = if outcome.others_cpu_percent > OTHERS_TOLERATED_PERCENT { " (!)" } else { "" };
    format!("{}{mark}", rounded(value))
}

fn times(one: &Measured, measured: &[Measured], scenario: &str, shape: &str, measure: &Measure) -> String {
    let value = |one| find(one, scenario, shape).and_then(measure.of).filter(|value| *value > 0.0);
    let (Some(ours), Some(theirs)) = (value(one), synapse(one, measured).and_then(value)) else {
        return "–".to_owned();
    };
    rounded(if measure.more_is_better { ours / theirs } else { theirs / ours })
}

/// Whether a shape is compared with a request that does nothing, and what one operation of it is called.
fn beside_nothing(outcome: &Outcome) -> Option<&'static str> {
    match outcome.scenario.as_str() {
        "fanout" => Some("a delivery"),
        "empty-poll" => Some("an empty poll"),
        "sliding-sync" if outcome.shape.starts_with("nothing new") => Some("an empty poll"),
        _ => None,
    }
}

/// What a delivery, and a poll that finds nothing, cost beside a request that does nothing.
fn floors(out: &mut String, measured: &[Measured]) {
    for one in measured {
        let cpu = |outcome: &Outcome| outcome.server.as_ref().map(|server| server.cpu_ms_per_operation);
        let floor =
            one.report.outcomes.iter().filter(|o| o.scenario == "versions").filter_map(cpu).reduce(f64::min);
        let Some(floor) = floor.filter(|floor| *floor > 0.0) else { continue };
        for outcome in &one.report.outcomes {
            let (Some(cost), Some(what)) = (cpu(outcome), beside_nothing(outcome)) else { continue };
            let (kind, shape, ratio) = (one.kind.name(), &outcome.shape, rounded(cost / floor));
            let scenario = &outcome.scenario;
            let _ = write!(
                out,
                "\n{kind}, {scenario}, {shape}: CPU of {what} is {ratio} times that of `GET /versions`.\n"
            );
        }
    }
}

fn failures(out: &mut String, measured: &[Measured]) {
    for one in measured {
        for (scenario, why) in &one.report.not_measured {
            let _ = write!(out, "\n**{}, {scenario}: not measured: {why}**\n", one.kind.name());
        }
        for outcome in &one.report.outcomes {
            for (why, count) in &outcome.failures {
                let (kind, scenario, shape) = (one.kind.name(), &outcome.scenario, &outcome.shape);
                let _ = write!(out, "\n**{kind}, {scenario}, {shape}: {count} failed: {why}**\n");
            }
        }
    }
}

/// Three digits that matter.
fn rounded(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}

/// How much of this machine's processors is in use, over the time of one look.
pub(crate) fn busy_percent(look: Duration) -> f64 {
    let before = processor_ticks();
    std::thread::sleep(look);
    let after = processor_ticks();
    let (busy, all) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
    if all == 0 { 0.0 } else { 100.0 * busy as f64 / all as f64 }
}

/// Busy and all ticks since the start of the machine.
fn processor_ticks() -> (u64, u64) {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().unwrap_or_default().split_ascii_whitespace().skip(1).take(8);
    let ticks: Vec<u64> = fields.filter_map(|field| field.parse().ok()).collect();
    let all = ticks.iter().sum();
    // The fourth and fifth are time without work and time of waiting for the disk.
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    (all - idle, all)
}

#[cfg(test)]
mod tests {
    use super::{Kind, Measured, Report, markdown};

    fn measured(kind: Kind, per_second: f64, cpu: f64) -> Measured {
        let report = serde_json::json!({
            "cores": 2, "quick": false, "not_measured": {},
            "outcomes": [{
                "scenario": "send", "shape": "1 room", "unit": "messages", "operations": 10, "failures": {},
                "per_second": per_second, "latency_ms": { "p50": 1.0, "p95": 1.0, "p99": 1.0 },
                "server": { "cpu_ms_per_operation": cpu, "peak_mib": 10.0 }, "others_cpu_percent": 0.0,
            }],
        });
        Measured { kind, rounds: 1, report: serde_json::from_value(report).unwrap() }
    }

    #[test]
    fn ratios_say_how_many_times_better_than_synapse() {
        let text = markdown(
            &[measured(Kind::ParvisSqlite, 300.0, 0.5), measured(Kind::SynapsePostgres, 30.0, 20.0)],
            0.0,
        );
        assert!(text.contains("| send | 1 room | messages per second | 300 | 30.0 | 10.0 |"), "{text}");
        assert!(text.contains("| send | 1 room | CPU ms each | 0.500 | 20.0 | 40.0 |"), "{text}");
    }

    #[test]
    fn of_several_rounds_each_figure_is_the_one_in_the_middle() {
        let rounds = [(300.0, 0.3), (100.0, 0.1), (200.0, 0.9)];
        let rounds = rounds.map(|(per_second, cpu)| measured(Kind::ParvisSqlite, per_second, cpu).report);
        let report = Report::median(rounds.into()).unwrap();
        let text = markdown(&[Measured { kind: Kind::ParvisSqlite, rounds: 3, report }], 0.0);
        assert!(text.contains("| messages per second | 200 |\n"), "{text}");
        assert!(text.contains("| CPU ms each | 0.300 |\n"), "{text}");
        assert!(Report::median(Vec::new()).is_none());
    }

    #[test]
    fn each_engine_is_compared_with_synapse_on_the_same() {
        let text = markdown(
            &[
                measured(Kind::ParvisSqlite, 300.0, 0.5),
                measured(Kind::ParvisPostgres, 300.0, 0.5),
                measured(Kind::SynapsePostgres, 30.0, 20.0),
                measured(Kind::SynapseSqlite, 60.0, 10.0),
            ],
            0.0,
        );
        let line = "| send | 1 room | messages per second | 300 | 300 | 30.0 | 60.0 | 5.00 | 10.0 |";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn without_synapse_there_are_no_ratios() {
        let text = markdown(&[measured(Kind::ParvisSqlite, 300.0, 0.5)], 0.0);
        assert!(text.contains("| send | 1 room | messages per second | 300 |\n"), "{text}");
    }
}
