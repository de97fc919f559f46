//! The table as Markdown: written, and read again.

use std::fmt::Write as _;

use crate::{
    endpoints::{Api, Endpoint},
    record::{Proof, Record, Test},
};

const HEAD: &str = "\
# Endpoints

Written by `cargo xtask coverage`; do not edit it. The endpoints and the files in which they are handled come from the lists
of which the router is made; the tests from a run in which they wrote down what they asked for. A test in this table has seen
its endpoint succeed, unless *refusal* stands beside it: then the endpoint does nothing here but refuse. Most endpoints have
more tests than the one that is named. A test of the workspace compares the table with what is there: it fails where an
endpoint has no line or no test, and where a file or a test is gone.
";

/// What stands behind a test that has seen an endpoint refuse, and nothing else.
const REFUSAL: &str = " *refusal*";

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Method and path.
    pub endpoint: String,
    /// Other forms of the path.
    pub others: String,
    /// Where it is handled.
    pub file: String,
    /// The test that proves it, if there is one.
    pub test: Option<Test>,
    /// Whether that test has seen nothing of it but a refusal.
    pub is_refusal: bool,
}

/// The whole table.
pub fn write(endpoints: &[Endpoint], record: &Record) -> String {
    let mut text = HEAD.to_owned();
    for api in Api::ALL {
        for stable in [true, false] {
            let rows = endpoints.iter().enumerate();
            let rows = rows.filter(|(_, one)| one.api == api && one.is_stable() == stable);
            let rows: Vec<String> = rows.map(|(number, one)| line(one, record.proof(number, one))).collect();
            if !rows.is_empty() {
                let more =
                    if stable || api == Api::Administration { "" } else { ": not in the specification" };
                let _ = write!(text, "\n## {}{more}\n\n", api.title());
                let _ = write!(text, "{} endpoints.\n\n", rows.len());
                text.push_str("| endpoint | also | handled in | proved by |\n|---|---|---|---|\n");
                text.push_str(&rows.concat());
            }
        }
    }
    text
}

fn line(endpoint: &Endpoint, proof: Option<Proof>) -> String {
    let proof = proof.map_or_else(String::new, |proof| {
        let Proof { test: Test { folder, name }, succeeded } = proof;
        let refusal = if succeeded { "" } else { REFUSAL };
        format!("{folder}: `{name}`{refusal}")
    });
    format!(
        "| `{} {}` | {} | {} | {proof} |\n",
        endpoint.method,
        endpoint.path,
        others(endpoint),
        endpoint.file
    )
}

/// The other forms of an endpoint's path: by their version alone where they do not differ in more.
fn others(endpoint: &Endpoint) -> String {
    let (_, own) = version_and_rest(&endpoint.path);
    let mut others: Vec<String> = Vec::new();
    for path in &endpoint.others {
        let (version, rest) = version_and_rest(path);
        let same = rest.trim_end_matches('/') == own.trim_end_matches('/');
        let other = if same { version } else { path.clone() };
        if !others.contains(&other) && path.trim_end_matches('/') != endpoint.path.trim_end_matches('/') {
            others.push(other);
        }
    }
    others.iter().map(|other| format!("`{other}`")).collect::<Vec<_>>().join(", ")
}

/// What stands before the name of an endpoint in its path, from its version on, and the rest without its variables'
/// names.
fn version_and_rest(path: &str) -> (String, String) {
    let segments: Vec<&str> = path.split('/').skip(2).collect();
    let is_version = |segment: &&str| {
        let digits = segment.strip_prefix(['v', 'r']).unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|letter| letter.is_ascii_digit())
    };
    let length = match segments.get(1) {
        Some(&"unstable") => 2 + usize::from(segments.get(2).is_some_and(|segment| segment.contains('.'))),
        Some(&"api") => 3,
        Some(segment) if is_version(segment) => 2,
        _ => 1,
    };
    let (version, rest) = segments.split_at(length.min(segments.len()));
    let rest = rest.iter().map(|segment| if segment.starts_with('{') { "{}" } else { segment });
    (version.get(1..).unwrap_or_default().join("/"), rest.collect::<Vec<_>>().join("/"))
}

/// The lines of a table.
pub fn read(text: &str) -> Vec<Row> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.strip_suffix(" |")?.split(" | ").collect();
        let [endpoint, others, file, proof] = cells.as_slice() else { return None };
        let test = proof.split_once(": `").and_then(|(folder, name)| {
            let (name, _) = name.split_once('`')?;
            Some(Test { folder: folder.to_owned(), name: name.to_owned() })
        });
        let endpoint = endpoint.strip_suffix('`')?.to_owned();
        let is_refusal = proof.ends_with(REFUSAL);
        Some(Row { endpoint, others: (*others).to_owned(), file: (*file).to_owned(), test, is_refusal })
    };
    text.lines().filter_map(row).collect()
}

/// The line that an endpoint must have, as far as that does not depend on tests.
pub fn expected(endpoint: &Endpoint) -> Row {
    Row {
        endpoint: format!("{} {}", endpoint.method, endpoint.path),
        others: others(endpoint),
        file: endpoint.file.clone(),
        test: None,
        is_refusal: false,
    }
}
