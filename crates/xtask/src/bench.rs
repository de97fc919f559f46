//! `cargo xtask bench`: the same load on Parvis and on Synapse, one after the other on this machine, and one
//! Markdown table of what came out. `docs/performance.md` says how to read it.
//!
//! It starts and stops servers and the load generator; what is measured, and how, the generator knows.

mod parvis;
pub(crate) mod server;
mod synapse;
pub(crate) mod table;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;

use crate::postgres::{Cluster, Commits};
use crate::shell::{self, Failure, Outcome};
use server::Running;
use table::{Measured, Report};

/// Room version of the rooms made on every server, so that all do the same work.
pub(crate) const ROOM_VERSION: &str = "12";
/// How long the machine is watched before anything starts.
const QUIET_LOOK: Duration = Duration::from_secs(3);

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Small numbers: shows that everything works, measures nothing.
    #[arg(long)]
    quick: bool,
    /// Only these scenarios of the load generator.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Servers to measure, in this order.
    #[arg(long, value_delimiter = ',', default_value = "parvis-sqlite,parvis-postgres,synapse-postgres")]
    servers: Vec<Kind>,
    /// How often each server is measured, from a fresh start: the table has the medians [default: 3, quick 1].
    #[arg(long)]
    rounds: Option<NonZero<usize>>,
    /// How often Synapse is measured, which takes long; a ratio of fifty needs no median [default: as --rounds].
    #[arg(long)]
    synapse_rounds: Option<NonZero<usize>>,
    /// The Markdown file to write [default: bench/report.md where cargo builds]; each server's full report goes
    /// beside it as JSON.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Measure this program instead of one that is built as it is packaged.
    #[arg(long)]
    parvis: Option<PathBuf>,
    /// Handed to the load generator as they are.
    #[arg(last = true)]
    generator: Vec<String>,
}

impl Arguments {
    /// How often this server is measured.
    fn rounds(&self, kind: Kind) -> usize {
        let synapse = self.synapse_rounds.filter(|_| kind.is_synapse());
        synapse.or(self.rounds).map_or(if self.quick { 1 } else { 3 }, NonZero::get)
    }
}

/// A server on a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Parvis with its embedded database.
    ParvisSqlite,
    /// Parvis on PostgreSQL.
    ParvisPostgres,
    /// Synapse on PostgreSQL.
    SynapsePostgres,
    /// Synapse on SQLite, which its makers advise against; the smallest organisations have it.
    SynapseSqlite,
}

impl Kind {
    /// As it is called in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ParvisSqlite => "parvis-sqlite",
            Self::ParvisPostgres => "parvis-postgres",
            Self::SynapsePostgres => "synapse-postgres",
            Self::SynapseSqlite => "synapse-sqlite",
        }
    }

    /// Whether this is Synapse.
    pub(crate) fn is_synapse(self) -> bool {
        matches!(self, Self::SynapsePostgres | Self::SynapseSqlite)
    }
}

/// Measures each server and writes the table. A server that fails is reported, and the others are measured.
pub(crate) fn run(arguments: &Arguments) -> Outcome<ExitCode> {
    let generator = server::build_release("parvis-bench", "parvis-bench")?;
    let parvis = parvis_program(arguments)?;
    if arguments.servers.iter().any(|kind| kind.is_synapse()) {
        crate::synapse::install()?;
    }
    let out = arguments.out.clone().unwrap_or_else(|| shell::target().join("bench/report.md"));
    if let Some(directory) = out.parent() {
        std::fs::create_dir_all(directory).map_err(Failure::at(directory))?;
    }
    let busy_percent = table::busy_percent(QUIET_LOOK);
    let mut measured = Vec::new();
    let mut failed = false;
    for kind in &arguments.servers {
        let of = arguments.rounds(*kind);
        let mut rounds = Vec::with_capacity(of);
        for round in 1..=of {
            println!("== {}, round {round} of {of} ==", kind.name());
            let json = out.with_extension(format!("{}.{round}.json", kind.name()));
            match measure(*kind, arguments, &generator, parvis.as_deref(), &json) {
                Ok(report) => {
                    failed |= !report.is_complete();
                    rounds.push(report);
                }
                Err(failure) => {
                    eprintln!("{}: {failure}", kind.name());
                    failed = true;
                }
            }
        }
        let rounds_measured = rounds.len();
        measured.extend(Report::median(rounds).map(|report| Measured {
            kind: *kind,
            rounds: rounds_measured,
            report,
        }));
    }
    let text = table::markdown(&measured, busy_percent);
    std::fs::write(&out, &text).map_err(Failure::at(&out))?;
    println!("{text}\nwritten to {}", out.display());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn parvis_program(arguments: &Arguments) -> Outcome<Option<PathBuf>> {
    if arguments.servers.iter().all(|kind| kind.is_synapse()) {
        return Ok(None);
    }
    match &arguments.parvis {
        Some(program) => Ok(Some(program.clone())),
        None => crate::dist::build().map(Some),
    }
}

/// Starts one server, loads it, and stops it whatever happens.
fn measure(
    kind: Kind,
    arguments: &Arguments,
    generator: &Path,
    parvis: Option<&Path>,
    json: &Path,
) -> Outcome<Report> {
    let running = start(kind, parvis, None)?;
    // An earlier run's report must not pass for this one's.
    let _ = std::fs::remove_file(json);
    let mut program = server::mortal()
        .argument("--")
        .argument(generator)
        .arguments(["--url", &running.url(), "--register-dummy"])
        .arguments(running.pids().iter().flat_map(|pid| ["--pid".to_owned(), pid.to_string()]))
        .argument("--json")
        .argument(json);
    if arguments.quick {
        program = program.argument("--quick");
    }
    if !arguments.only.is_empty() {
        program = program.argument("--only").argument(arguments.only.join(","));
    }
    // It fails also when only some scenarios could not be measured; then its report says so.
    let complete = program.arguments(&arguments.generator).run().is_ok();
    if !complete {
        eprintln!("the load generator failed; the server said last:\n{}", running.last_words());
    }
    let text = std::fs::read_to_string(json).map_err(Failure::at(json))?;
    serde_json::from_str(&text).map_err(|error| Failure::new(format!("{}: {error}", json.display())))
}

/// Starts one server. With `trust`, a certificate, it federates with whoever shows it; otherwise with nobody.
pub(crate) fn start(kind: Kind, parvis: Option<&Path>, trust: Option<&Path>) -> Outcome<Running> {
    let program = || parvis.ok_or_else(|| Failure::new("there is no program of Parvis"));
    match kind {
        Kind::ParvisSqlite => parvis::start(program()?, None, trust),
        Kind::ParvisPostgres => parvis::start(program()?, Some(Cluster::start(Commits::Durable)?), trust),
        Kind::SynapsePostgres => synapse::start(Some(Cluster::start(Commits::Durable)?), trust),
        Kind::SynapseSqlite => synapse::start(None, trust),
    }
}
