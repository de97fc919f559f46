//! Writes the table of endpoints from a record of what tests have asked for.

#![expect(clippy::print_stdout, reason = "a command line tool speaks to a person")]

use std::{fs, io, path::PathBuf};

use clap::Parser;
use parvis_coverage::{TABLE, endpoints, record::Record, table, workspace};

/// Writes the table of endpoints.
#[derive(Parser)]
struct Arguments {
    /// The directory in which tests have written down what they asked for.
    recorded: PathBuf,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let workspace = workspace();
    let endpoints = endpoints::all(&workspace);
    let record = Record::read(&arguments.recorded, &workspace, &endpoints)?;
    let text = table::write(&endpoints, &record);
    let file = workspace.join(TABLE);
    fs::write(&file, &text)?;
    let rows = table::read(&text);
    println!("{}: {} endpoints", file.display(), rows.len());
    for row in rows.iter().filter(|row| row.test.is_none()) {
        println!("no test: {}", row.endpoint);
    }
    Ok(())
}
