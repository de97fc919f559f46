//! `cargo xtask`: the work around the code — tests on both databases, tidy checks, Complement, measurements.
//!
//! One file per subcommand. Nothing here knows how the server works: it is built and run as a program.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks to a person")]

mod bench;
mod bench_join;
mod bench_search;
mod bench_start;
mod complement;
mod coverage;
mod dist;
mod federation;
mod fuzz;
mod instructions;
mod postgres;
mod rust_client;
mod shell;
mod simulate;
mod synapse;
mod test;
mod tidy;
mod witness;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::shell::Outcome;

/// The work around the code of Parvis.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Every check and every test suite, on SQLite and on PostgreSQL.
    Test(test::Arguments),
    /// The arrows between crates and the circles between modules.
    Tidy,
    /// Complement, the black-box conformance suite, against expected failures.
    Complement(complement::Arguments),
    /// Which test proves which endpoint: `docs/specification/endpoints.md`.
    Coverage(coverage::Arguments),
    /// Nonsense for what other servers reach: `cargo xtask fuzz --seconds 600`.
    Fuzz(fuzz::Arguments),
    /// Simulated worlds of homeservers: `cargo xtask simulate --seeds 1000`, `cargo xtask simulate --seed 17`.
    Simulate(simulate::Arguments),
    /// State resolution and the rules, compared with Synapse's on generated rooms.
    Witness(witness::Arguments),
    /// How many instructions the hot paths take, compared with the committed figures.
    Instructions(instructions::Arguments),
    /// Parvis and Synapse under the same load.
    Bench(bench::Arguments),
    /// A join into a room of 50,000 members on another server, into Parvis and into Synapse.
    BenchJoin(bench_join::Arguments),
    /// How well and how fast messages are found, on both engines.
    BenchSearch(bench_search::Arguments),
    /// How long a start takes, and memory at rest, with a million messages.
    BenchStart(bench_start::Arguments),
    /// Parvis as it is packaged: linked as one, and small.
    Dist,
    /// Parvis with Synapse and with itself, over real TLS.
    Federation(federation::Arguments),
}

fn main() -> ExitCode {
    let outcome: Outcome<ExitCode> = match Arguments::parse().task {
        Task::Test(arguments) => test::run(&arguments),
        Task::Tidy => tidy::run(),
        Task::Complement(arguments) => complement::run(&arguments),
        Task::Coverage(arguments) => coverage::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Simulate(arguments) => simulate::run(&arguments),
        Task::Witness(arguments) => witness::run(&arguments),
        Task::Instructions(arguments) => instructions::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::BenchJoin(arguments) => bench_join::run(&arguments),
        Task::BenchSearch(arguments) => bench_search::run(&arguments),
        Task::BenchStart(arguments) => bench_start::run(&arguments),
        Task::Dist => dist::run(),
        Task::Federation(arguments) => federation::run(&arguments),
    };
    outcome.unwrap_or_else(|failure| {
        eprintln!("\nerror: {failure}");
        ExitCode::FAILURE
    })
}
