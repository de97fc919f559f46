//! `cargo xtask tidy`: holds the house to its plan.
//!
//! Two checks: each crate imports only what `arrows.toml` allows, and the first-level modules inside a crate
//! form no circle. Reads manifests and sources as text; compiles nothing.

mod arrows;
mod circles;
mod scanner;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::shell::{self, Failure, Outcome};

/// One thing that is not as the plan has it, and where.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// The file, relative to the root of the workspace.
    file: PathBuf,
    /// The line in it, from 1.
    line: usize,
    /// What is wrong, and what would be right.
    text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.file.display(), self.line, self.text)
    }
}

/// Checks the workspace and prints each violation.
pub(crate) fn run() -> Outcome<ExitCode> {
    let violations = check(&shell::workspace())?;
    for violation in &violations {
        println!("{violation}");
    }
    if violations.is_empty() {
        println!("tidy: every arrow is allowed and no modules form a circle");
        return Ok(ExitCode::SUCCESS);
    }
    println!("tidy: {} violations", violations.len());
    Ok(ExitCode::FAILURE)
}

/// All violations in the workspace at `root`.
fn check(root: &Path) -> Outcome<Vec<Violation>> {
    let mut crates = folders(&root.join("crates"))?;
    crates.sort();
    let mut violations = arrows::check(root, &crates)?;
    for folder in &crates {
        violations.extend(circles::check(root, folder)?);
    }
    Ok(violations)
}

fn folders(parent: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = std::fs::read_dir(parent).map_err(Failure::at(parent))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(Failure::at(parent))?.path();
        if path.join("Cargo.toml").is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

fn read(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(Failure::at(path))
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

#[cfg(test)]
pub(crate) mod fixture {
    //! Small workspaces on disk for the tests of the checks.

    use std::fs;

    use tempfile::TempDir;

    /// Writes the files into a new directory.
    pub(crate) fn tree(files: &[(&str, &str)]) -> TempDir {
        let root = TempDir::new().unwrap();
        for (path, text) in files {
            let file = root.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        root
    }
}

#[cfg(test)]
mod tests {
    use super::{check, fixture::tree};

    const ARROWS: &str = r#"
        development = ["testkit"]
        testkits = ["testkit"]
        [crates]
        events = { floor = 1, imports = [] }
        rooms = { floor = 3, imports = ["events"] }
    "#;

    #[test]
    fn a_workspace_as_planned_has_no_violations() {
        let root = tree(&[
            ("crates/xtask/arrows.toml", ARROWS),
            ("crates/events/Cargo.toml", "[package]\nname = \"parvis-events\"\n"),
            ("crates/events/src/lib.rs", "mod a;\nmod b;\n"),
            ("crates/events/src/a.rs", "use crate::b::B;\n"),
            ("crates/events/src/b.rs", "pub struct B;\n"),
        ]);
        assert_eq!(check(root.path()).unwrap(), []);
    }

    #[test]
    fn each_violation_names_its_file_and_line() {
        let root = tree(&[
            ("crates/xtask/arrows.toml", ARROWS),
            (
                "crates/events/Cargo.toml",
                "[package]\nname = \"parvis-events\"\n\n[dependencies]\nparvis-rooms.workspace = true\n",
            ),
            ("crates/events/src/lib.rs", "mod a;\nmod b;\n"),
            ("crates/events/src/a.rs", "\nuse crate::b::B;\n"),
            ("crates/events/src/b.rs", "fn f() { super::a::g() }\n"),
        ]);
        let printed: Vec<String> =
            check(root.path()).unwrap().iter().map(|violation| violation.to_string()).collect();
        assert_eq!(printed.len(), 3, "{printed:#?}");
        assert!(printed[0].starts_with("crates/events/Cargo.toml:5: "), "{}", printed[0]);
        assert!(printed[1].starts_with("crates/events/src/a.rs:2: "), "{}", printed[1]);
        assert!(printed[2].starts_with("crates/events/src/b.rs:1: "), "{}", printed[2]);
    }
}
