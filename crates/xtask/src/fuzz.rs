//! `cargo xtask fuzz`: nonsense for what other servers reach. Builds `tests/fuzz` and lets it run.

use std::process::ExitCode;

use crate::shell::{Outcome, Program};

/// Arguments of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One round with this seed, and no more.
    #[arg(long)]
    once: bool,
    /// Only this: `events`, `transactions` or `conversations`.
    #[arg(long)]
    only: Option<String>,
}

/// Runs it; fails at a finding.
pub(crate) fn run(arguments: &Arguments) -> Outcome<ExitCode> {
    let mut fuzz = Program::cargo()
        .arguments(["run", "--quiet", "--package", "parvis-fuzz", "--"])
        .arguments(["--seconds", &arguments.seconds.to_string()])
        .arguments(["--seed", &arguments.seed.to_string()]);
    if arguments.once {
        fuzz = fuzz.argument("--once");
    }
    if let Some(only) = &arguments.only {
        fuzz = fuzz.arguments(["--only", only]);
    }
    fuzz.run()?;
    Ok(ExitCode::SUCCESS)
}
