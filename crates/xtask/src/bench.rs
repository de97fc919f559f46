//! `cargo xtask bench`: builds the load generator with optimisation and hands it the arguments.

use std::process::ExitCode;

use crate::shell::{Outcome, Program};

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Handed to the load generator as they are.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs `parvis-bench` in release mode; fails as it fails.
pub(crate) fn run(arguments: &Arguments) -> Outcome<ExitCode> {
    Program::cargo()
        .arguments(["run", "--release", "--package", "parvis-bench", "--"])
        .arguments(&arguments.arguments)
        .run()?;
    Ok(ExitCode::SUCCESS)
}
