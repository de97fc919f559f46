//! `cargo xtask interop-rust`: clients of matrix-sdk, with each other and with those of matrix-js-sdk, against Parvis.
//!
//! The client is the program of `tests/interop/rust`, a workspace of its own: it takes long to compile, and is not
//! part of `cargo xtask test`. Knows nothing of the story, which `tests/interop/run.mjs` plays.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::postgres::{Cluster, Commits};
use crate::shell::{self, Failure, Outcome, Program};

/// Arguments of `cargo xtask interop-rust`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Test SQLite alone.
    #[arg(long)]
    without_postgres: bool,
}

/// Plays the story on each database.
pub(crate) fn run(arguments: &Arguments) -> Outcome<ExitCode> {
    if shell::find("node").is_none() {
        return Err(Failure::new("Node is not installed"));
    }
    let client = build_client()?;
    let server = shell::build_parvis()?;
    play(&client, &server, "sqlite")?;
    if !arguments.without_postgres {
        let cluster = Cluster::start(Commits::Forgettable)?;
        cluster.create("interop")?;
        play(&client, &server, &cluster.url("interop"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn play(client: &Path, server: &Path, database: &str) -> Outcome<()> {
    Program::new("node")
        .argument(shell::workspace().join("tests/interop/run.mjs"))
        .arguments(["--parvis".as_ref(), server.as_os_str()])
        .arguments(["--rust".as_ref(), client.as_os_str()])
        .arguments(["--database", database])
        .run()
}

/// The client's program, built if it is not fresh. Its dependencies are other versions than ours, so it has a
/// directory of its own.
fn build_client() -> Outcome<PathBuf> {
    let target = shell::target().join("interop-rust");
    Program::cargo()
        .arguments(["build", "--locked", "--manifest-path", "tests/interop/rust/Cargo.toml", "--target-dir"])
        .argument(&target)
        .run()?;
    Ok(target.join("debug/parvis-interop-rust"))
}
