//! `cargo xtask bench-start`: how long Parvis takes to its first answer and how much memory it has at rest, with an
//! empty database and with a million messages. Builds the program and `tests/start`, and lets that run.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::bench::server;
use crate::shell::{Outcome, Program};

/// Arguments of `cargo xtask bench-start`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A few messages and the development profile: shows that everything works, measures nothing.
    #[arg(long)]
    quick: bool,
    /// How many messages there are [default: 1000000, quick 5000].
    #[arg(long)]
    messages: Option<usize>,
    /// The Markdown file to write.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Measure this program instead of one that is built as it is packaged.
    #[arg(long)]
    parvis: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Outcome<ExitCode> {
    let build = if arguments.quick { server::build_debug } else { server::build_release };
    let parvis = match &arguments.parvis {
        Some(program) => program.clone(),
        None if arguments.quick => server::build_debug("parvis-server", "parvis")?,
        None => crate::dist::build()?,
    };
    let bench = build("parvis-start-bench", "parvis-start-bench")?;
    let messages = arguments.messages.unwrap_or(if arguments.quick { 5_000 } else { 1_000_000 });
    let (rooms, starts) = if arguments.quick { ("10", "1") } else { ("300", "5") };
    let mut bench = Program::new(bench).argument("--parvis").argument(parvis).arguments([
        "--events",
        &messages.to_string(),
        "--rooms",
        rooms,
        "--starts",
        starts,
    ]);
    if let Some(out) = &arguments.out {
        bench = bench.argument("--out").argument(out);
    }
    bench.run()?;
    Ok(ExitCode::SUCCESS)
}
