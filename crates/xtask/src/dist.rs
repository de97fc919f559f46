//! `cargo xtask dist`: Parvis as it is packaged (decision 24).

use std::{fs, path::PathBuf, process::ExitCode};

use crate::shell::{self, Failure, Outcome, Program};

/// Nothing unwinds through SQLite, the cryptography and the allocator, which are C: without tables for that, the program is
/// smaller.
const FOR_C: &str = "-fno-asynchronous-unwind-tables";

/// Builds it, and says where it is and how large.
pub(crate) fn run() -> Outcome<ExitCode> {
    let path = build()?;
    let bytes = fs::metadata(&path).map_err(Failure::at(&path))?.len();
    println!("{}: {bytes} bytes", path.display());
    Ok(ExitCode::SUCCESS)
}

/// Builds it, and returns the program. Takes twenty minutes on two processors.
pub(crate) fn build() -> Outcome<PathBuf> {
    let mut flags = shell::variable("CFLAGS").unwrap_or_default();
    flags.push(" ");
    flags.push(FOR_C);
    let cargo = Program::cargo().arguments(["build", "--profile", "dist", "--package", "parvis-server"]);
    cargo.variable("CFLAGS", flags).run()?;
    let path = shell::target().join("dist").join("parvis");
    if path.is_file() { Ok(path) } else { Err(Failure::new(format!("cargo built no {}", path.display()))) }
}
