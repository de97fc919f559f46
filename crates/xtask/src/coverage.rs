//! `cargo xtask coverage`: which test proves which endpoint.
//!
//! Runs the tests that talk to a homeserver and has them write down what they ask for; `tests/coverage` makes the table
//! in `docs/specification/endpoints.md` of it.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::shell::{Outcome, Program};

/// The variable by which tests know where to write.
const RECORD: &str = "PARVIS_TEST_RECORD";
/// The packages whose tests talk to a homeserver.
const TALKING: [&str; 3] = ["parvis-client-api", "parvis-federation-api", "parvis-capabilities"];

/// Arguments of `cargo xtask coverage`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Make the table of what tests have written into this directory before, and run none.
    #[arg(long)]
    recorded: Option<PathBuf>,
}

/// Runs the tests and writes the table.
pub(crate) fn run(arguments: &Arguments) -> Outcome<ExitCode> {
    let fresh = tempfile::tempdir()?;
    let directory = match &arguments.recorded {
        Some(directory) => directory.as_path(),
        None => {
            let packages = TALKING.into_iter().flat_map(|package| ["--package", package]);
            Program::cargo().argument("test").arguments(packages).variable(RECORD, fresh.path()).run()?;
            fresh.path()
        }
    };
    Program::cargo()
        .arguments(["run", "--quiet", "--package", "parvis-coverage", "--"])
        .argument(directory)
        .run()?;
    Ok(ExitCode::SUCCESS)
}
