//! The client of matrix-sdk that plays in the stories of `tests/interop`: a workspace of its own.

use std::path::PathBuf;

use crate::shell::{self, Outcome, Program};

/// Its manifest.
pub(crate) const MANIFEST: &str = "tests/interop/rust/Cargo.toml";

/// Its program, built if it is not fresh. What it needs are other versions than what the server needs, so it has a
/// place of its own.
pub(crate) fn build() -> Outcome<PathBuf> {
    let target = shell::target().join("interop-rust");
    Program::cargo()
        .arguments(["build", "--locked", "--manifest-path", MANIFEST, "--target-dir"])
        .argument(&target)
        .run()?;
    Ok(target.join("debug/parvis-interop-rust"))
}
