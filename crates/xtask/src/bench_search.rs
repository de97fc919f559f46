//! `cargo xtask bench-search`: how well and how fast messages are found, on SQLite and, where `PARVIS_TEST_POSTGRES` names
//! a server, on PostgreSQL. Builds `tests/search` with optimisation and lets it run.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::shell::{Outcome, Program};

/// Arguments of `cargo xtask bench-search`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A few messages and the development profile: shows that everything works, measures nothing.
    #[arg(long)]
    quick: bool,
    /// How many messages there are [default: 200000, quick 5000].
    #[arg(long)]
    messages: Option<usize>,
    /// The Markdown file to write.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Outcome<ExitCode> {
    let messages = arguments.messages.unwrap_or(if arguments.quick { 5_000 } else { 200_000 });
    let mut bench = Program::cargo().arguments(["run", "--quiet", "--package", "parvis-search-bench"]);
    if !arguments.quick {
        bench = bench.argument("--release");
    }
    bench = bench.arguments(["--", "--messages", &messages.to_string()]);
    if let Some(out) = &arguments.out {
        bench = bench.argument("--out").argument(out);
    }
    bench.run()?;
    Ok(ExitCode::SUCCESS)
}
