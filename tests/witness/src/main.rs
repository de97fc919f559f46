//! Makes forked rooms for a witness: another implementation of the rules, which says what it makes of the same
//! events.
//!
//! Writes JSON lines, in this order for each room: `room` (its id and version), and then, as they happen,
//! `event` (an event that came to stand in the room), `attempt` (an event, the state before it, and whether we
//! allow it) and `fork` (several states, and what we resolve them to). `compare.py` reads them.
//!
//! Knows nothing of the witness.

#![expect(clippy::unwrap_used, reason = "a tool for tests, which ends so")]

mod attempts;
mod dice;
mod room;
mod story;

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
};

use clap::Parser;
use parvis_events::RoomVersion;
use serde_json::{Value, json};

use crate::{dice::Dice, room::Resolving, story::tell};

/// Makes forked rooms and writes them as JSON lines.
#[derive(Parser)]
struct Arguments {
    /// The file to be written.
    file: PathBuf,
    /// The first room's seed; the next rooms have the next ones.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many rooms there are of each version.
    #[arg(long, default_value_t = 30)]
    rooms: u64,
    /// The room versions.
    #[arg(long, value_delimiter = ',', default_value = "6,10,11,12")]
    versions: Vec<String>,
    /// Resolve as one must not, by taking the state of the side that is given last: a comparison that does not
    /// notice is worth nothing.
    #[arg(long)]
    last_side_wins: bool,
}

fn main() {
    let arguments = Arguments::parse();
    let resolving = if arguments.last_side_wins { Resolving::LastSideWins } else { Resolving::ByTheRules };
    let mut out = BufWriter::new(File::create(&arguments.file).unwrap());
    let mut print = |line: &Value| writeln!(out, "{line}").unwrap();
    for version in &arguments.versions {
        let version: RoomVersion = version.parse().unwrap();
        for seed in arguments.seed..arguments.seed + arguments.rooms {
            let lines = tell(version, resolving, &Dice::new(seed));
            for mut line in lines {
                line["seed"] = json!(seed);
                print(&line);
            }
        }
    }
}
