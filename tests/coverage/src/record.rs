//! What tests have asked for, as `parvis-record` has written it down.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use crate::endpoints::Endpoint;

/// A test: its package's folder in the workspace, and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Test {
    /// Such as `crates/client-api`.
    pub folder: String,
    /// Such as `push::rules::rule_is_set`.
    pub name: String,
}

/// Which tests have asked for which endpoints, and with which success.
#[derive(Debug, Default)]
pub struct Record {
    /// For each endpoint, by its place in the list: who has asked for it, and whether that ever succeeded.
    asked: BTreeMap<usize, BTreeMap<Test, bool>>,
    /// For each test: for which endpoints it has asked.
    reach: BTreeMap<Test, BTreeSet<usize>>,
}

/// What proves an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The test.
    pub test: Test,
    /// Whether the endpoint did what was asked of it; else the test has seen it refuse.
    pub succeeded: bool,
}

impl Record {
    /// Reads all files of a directory.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn read(directory: &Path, workspace: &Path, endpoints: &[Endpoint]) -> io::Result<Self> {
        let mut record = Self::default();
        for entry in fs::read_dir(directory)? {
            for line in fs::read_to_string(entry?.path())?.lines() {
                record.add(line, workspace, endpoints);
            }
        }
        Ok(record)
    }

    /// Takes a line of a record. Requests of nobody in particular, and those for nothing that there is, do not count.
    fn add(&mut self, line: &str, workspace: &Path, endpoints: &[Endpoint]) {
        let mut fields = line.split('\t');
        let mut field = || fields.next().unwrap_or_default();
        let (package, name, method, path, status) = (field(), field(), field(), field(), field());
        let Ok(folder) = Path::new(package).strip_prefix(workspace) else { return };
        if name.is_empty() {
            return;
        }
        let meant = |(_, endpoint): &(usize, &Endpoint)| endpoint.is_meant(method, path);
        // What is written out goes before a variable: `devices/me` before `devices/{id}`.
        let best =
            endpoints.iter().enumerate().filter(meant).max_by_key(|(_, endpoint)| endpoint.is_named(path));
        let Some((number, _)) = best else { return };
        let test = Test { folder: folder.display().to_string(), name: name.to_owned() };
        let succeeded = status.starts_with('2') || status.starts_with('3');
        let known = self.asked.entry(number).or_default().entry(test.clone()).or_default();
        *known |= succeeded;
        self.reach.entry(test).or_default().insert(number);
    }

    /// The test that proves an endpoint best: one in which it succeeds, and that is called after it, as tests of an
    /// endpoint are; among these the one that asks for the fewest other things.
    pub fn proof(&self, number: usize, endpoint: &Endpoint) -> Option<Proof> {
        let worth = |(test, succeeded): &(&Test, &bool)| {
            let shared = endpoint.words.iter().filter(|word| test.name.contains(word.as_str())).count();
            let others = self.reach.get(test).map_or(0, BTreeSet::len);
            let at_home = test.folder == endpoint.api.folder();
            let name = std::cmp::Reverse((*test).clone());
            (**succeeded, shared, at_home, std::cmp::Reverse(others), name)
        };
        let (test, succeeded) = self.asked.get(&number)?.iter().max_by_key(worth)?;
        Some(Proof { test: test.clone(), succeeded: *succeeded })
    }
}
