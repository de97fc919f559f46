//! `cargo xtask simulate`: simulated worlds of homeservers, from seeds.
//!
//! Builds `tests/simulation` and hands it what it is given; its `--help` tells the rest.

use std::process::ExitCode;

use crate::shell::{Outcome, Program};

/// Arguments of `cargo xtask simulate`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What the simulation takes: `--seeds 1000`, `--seed 17`, `--first 5000`, `--jobs 4`, `--times 5`, `--trace`,
    /// `--fair`, `--servers 3`, `--acts 200`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Plays the worlds; fails if one ends badly.
pub(crate) fn run(arguments: &Arguments) -> Outcome<ExitCode> {
    Program::cargo()
        .arguments(["run", "--quiet", "--package", "parvis-simulation", "--"])
        .arguments(&arguments.arguments)
        .run()?;
    Ok(ExitCode::SUCCESS)
}
