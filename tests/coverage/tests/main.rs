//! The committed table of endpoints says what is there.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use parvis_coverage::{
    TABLE,
    endpoints::{self, ONLY_REFUSE},
    record::Test,
    table, workspace,
};

fn committed() -> Vec<table::Row> {
    table::read(&fs::read_to_string(workspace().join(TABLE)).unwrap())
}

#[test]
fn every_endpoint_has_its_line_and_every_line_its_endpoint() {
    let expected: Vec<table::Row> = endpoints::all(&workspace()).iter().map(table::expected).collect();
    let without_tests = |row: table::Row| table::Row { test: None, is_refusal: false, ..row };
    let committed: Vec<table::Row> = committed().into_iter().map(without_tests).collect();
    let missing: Vec<_> = expected.iter().filter(|row| !committed.contains(row)).collect();
    let gone: Vec<_> = committed.iter().filter(|row| !expected.contains(row)).collect();
    assert!(expected.len() > 200, "the lists of endpoints are there");
    assert!(
        missing.is_empty() && gone.is_empty(),
        "run `cargo xtask coverage`; missing in {TABLE}: {missing:#?}; no longer there: {gone:#?}"
    );
}

#[test]
fn every_endpoint_has_a_test_that_is_there() {
    let rows = committed();
    let untested: Vec<_> = rows.iter().filter(|row| row.test.is_none()).map(|row| &row.endpoint).collect();
    assert!(untested.is_empty(), "write tests and run `cargo xtask coverage`; without a test: {untested:#?}");
    let refusing: Vec<_> =
        rows.iter().filter(|row| row.is_refusal).map(|row| row.endpoint.as_str()).collect();
    let wrong: Vec<_> = refusing.into_iter().filter(|endpoint| !ONLY_REFUSE.contains(endpoint)).collect();
    assert!(wrong.is_empty(), "write tests in which these succeed: {wrong:#?}");
    let mut tests: Vec<&Test> = rows.iter().filter_map(|row| row.test.as_ref()).collect();
    tests.sort();
    tests.dedup();
    let gone: Vec<_> = tests.into_iter().filter(|test| !is_there(test)).collect();
    assert!(gone.is_empty(), "run `cargo xtask coverage`; tests that are gone: {gone:#?}");
}

/// Whether a package's sources have a test of this name.
fn is_there(test: &Test) -> bool {
    let function = format!("fn {}(", test.name.rsplit("::").next().unwrap());
    let mut directories: Vec<PathBuf> = vec![workspace().join(&test.folder)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !is_ignored(&path) {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && fs::read_to_string(&path).unwrap().contains(&function)
            {
                return true;
            }
        }
    }
    false
}

fn is_ignored(path: &Path) -> bool {
    path.ends_with("target") || path.ends_with("node_modules")
}
