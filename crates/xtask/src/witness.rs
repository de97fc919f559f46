//! `cargo xtask witness`: forked rooms, resolved by Parvis and by Synapse.
//!
//! `tests/witness` makes the rooms and says what Parvis resolves them to; its `compare.py` asks Synapse's own
//! functions. Before that, rooms that were resolved wrongly on purpose must be noticed.

use std::path::Path;
use std::process::ExitCode;

use crate::shell::{self, Outcome, Program};
use crate::synapse;

/// Arguments of `cargo xtask witness`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The first room's seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many rooms of each version are made; each has several forks.
    #[arg(long, default_value_t = 40)]
    rooms: u64,
    /// The room versions.
    #[arg(long, default_value = "6,10,11,12")]
    versions: String,
}

/// Makes rooms, asks the witness, and prints counts; a difference fails.
pub(crate) fn run(arguments: &Arguments) -> Outcome<ExitCode> {
    synapse::install()?;
    compare(arguments)?;
    Ok(ExitCode::SUCCESS)
}

/// The same as a step of the whole test, with what is usual.
pub(crate) fn step() -> Outcome<()> {
    compare(&Arguments { seed: 0, rooms: 40, versions: "6,10,11,12".to_owned() })
}

fn compare(arguments: &Arguments) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let wrong = directory.path().join("wrong.jsonl");
    generate(&wrong, &Arguments { rooms: 3, versions: arguments.versions.clone(), ..*arguments }, true)?;
    ask(&wrong, &["--expect-differences"])?;
    let rooms = directory.path().join("rooms.jsonl");
    generate(&rooms, arguments, false)?;
    ask(&rooms, &[])
}

fn generate(file: &Path, arguments: &Arguments, wrong: bool) -> Outcome<()> {
    let mut generator = Program::cargo()
        .arguments(["run", "--quiet", "--package", "parvis-witness", "--"])
        .argument(file)
        .arguments(["--seed", &arguments.seed.to_string()])
        .arguments(["--rooms", &arguments.rooms.to_string()])
        .arguments(["--versions", &arguments.versions]);
    if wrong {
        generator = generator.argument("--last-side-wins");
    }
    generator.run()
}

fn ask(file: &Path, options: &[&str]) -> Outcome<()> {
    Program::new(synapse::environment()?.join("bin/python"))
        .argument(shell::workspace().join("tests/witness/compare.py"))
        .argument(file)
        .arguments(options)
        .run_and_recall()
}
