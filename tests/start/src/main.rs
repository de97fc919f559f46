//! How long the program takes to its first answer, and how much memory it has when nobody uses it: with an empty
//! database, and with a million events in some hundred rooms.
//!
//! The rooms are made by a homeserver in this process; their messages are written straight into its store, since
//! how fast they are sent is measured elsewhere. What is measured then is the real program, `parvis serve`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement that a person runs and reads")]
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

mod fill;
mod program;

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use clap::Parser;
use tempfile::TempDir;

use crate::program::{Run, write_configuration};

/// How long the program is left alone before its memory is looked at.
const REST: Duration = Duration::from_secs(3);

/// Start-up and idle memory.
#[derive(Parser)]
struct Arguments {
    /// The program to be measured.
    #[arg(long)]
    parvis: PathBuf,
    /// How many messages there are.
    #[arg(long, default_value_t = 1_000_000)]
    events: usize,
    /// In how many rooms.
    #[arg(long, default_value_t = 300)]
    rooms: usize,
    /// How many people are in each of them.
    #[arg(long, default_value_t = 10)]
    members: usize,
    /// How often each start is measured; the median is told.
    #[arg(long, default_value_t = 5)]
    starts: usize,
    /// The Markdown file to write.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() {
    let arguments = Arguments::parse();
    let parvis = arguments.parvis.canonicalize().unwrap();
    let mut runs = Vec::new();
    let first = || {
        let directory = TempDir::new().unwrap();
        write_configuration(directory.path());
        Run::of(&parvis, directory.path(), REST)
    };
    runs.push(("first start, which makes the database", (0..arguments.starts).map(|_| first()).collect()));
    let directory = TempDir::with_prefix("parvis-start-").unwrap();
    write_configuration(directory.path());
    let starts =
        |count: usize| -> Vec<Run> { (0..count).map(|_| Run::of(&parvis, directory.path(), REST)).collect() };
    starts(1);
    runs.push(("start with an empty database", starts(arguments.starts)));
    println!("writing {} messages into {} rooms", arguments.events, arguments.rooms);
    let took = fill::fill(directory.path(), arguments.rooms, arguments.members, arguments.events);
    println!("written in {:.0} s", took.as_secs_f64());
    starts(1);
    let database = std::fs::metadata(directory.path().join("parvis.db")).unwrap().len();
    runs.push(("start with all of them", starts(arguments.starts)));
    let mut table = table(&runs);
    let _ = writeln!(
        table,
        "\n{} messages in {} rooms of {} members; the database has {} MiB, the program {:.1} MiB.",
        arguments.events,
        arguments.rooms,
        arguments.members,
        database >> 20,
        mebibytes(std::fs::metadata(&parvis).unwrap().len()),
    );
    println!("{table}");
    if let Some(out) = arguments.out {
        std::fs::write(out, table).unwrap();
    }
}

fn table(runs: &[(&str, Vec<Run>)]) -> String {
    let mut table = "| start | first answer, ms | memory at rest, MiB | of that, not of files, MiB |\n|---|--:|--:|--:|\n"
        .to_owned();
    for (name, runs) in runs {
        let answered = median(runs.iter().map(|run| run.answered.as_secs_f64() * 1_000.0));
        let resident = median(runs.iter().map(|run| mebibytes(run.resident)));
        let own = median(runs.iter().map(|run| mebibytes(run.anonymous)));
        let _ = writeln!(table, "| {name} | {answered:.0} | {resident:.1} | {own:.1} |");
    }
    table
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a figure for a person")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
