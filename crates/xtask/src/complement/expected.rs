//! The list of tests that are expected to fail, and how a run differs from it.
//!
//! One `package: Test/subtest` a line; lines that begin with `#` are for people. The list may only shrink: a
//! failure that is not listed and a listed test that does not fail are both differences.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use super::results::{Ending, Name, Results};
use crate::shell::{Failure, Outcome};

/// The list, and the words above it.
#[derive(Debug)]
pub(super) struct Expected {
    header: String,
    names: BTreeSet<Name>,
}

/// One difference between a run and the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Surprise {
    Failed(Name),
    Passed(Name),
    Skipped(Name),
    Absent(Name),
}

impl fmt::Display for Surprise {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(name) => write!(formatter, "UNEXPECTED FAILURE  {name}"),
            Self::Passed(name) => write!(formatter, "PASSES NOW          {name}: remove it from the list"),
            Self::Skipped(name) => write!(formatter, "SKIPPED             {name}: remove it from the list"),
            Self::Absent(name) => write!(formatter, "NO SUCH TEST RAN    {name}: remove it from the list"),
        }
    }
}

impl Expected {
    pub(super) fn read(path: &Path) -> Outcome<Self> {
        let text = std::fs::read_to_string(path).map_err(Failure::at(path))?;
        Self::parse(&text).map_err(|(line, text)| {
            Failure::new(format!("{}:{line}: `{text}` is not `package: Test`", path.display()))
        })
    }

    fn parse(text: &str) -> Result<Self, (usize, String)> {
        let header: String =
            text.lines().take_while(|line| line.starts_with('#')).flat_map(|line| [line, "\n"]).collect();
        let mut names = BTreeSet::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (package, test) = line.split_once(": ").ok_or_else(|| (index + 1, line.to_owned()))?;
            names.insert(Name::new(package.trim(), test.trim()));
        }
        Ok(Self { header, names })
    }

    pub(super) fn write(&self, path: &Path) -> Outcome<()> {
        std::fs::write(path, self.text()).map_err(Failure::at(path))
    }

    fn text(&self) -> String {
        let mut text = self.header.clone();
        for name in &self.names {
            text.push_str(&format!("{name}\n"));
        }
        text
    }

    /// Differences in the packages that ran. Unless all of their tests were asked for (`whole`), a listed test
    /// that did not run says nothing.
    pub(super) fn compare(&self, results: &Results, packages: &[&str], whole: bool) -> Vec<Surprise> {
        let unexpected =
            results.failures().filter(|name| !self.names.contains(name)).cloned().map(Surprise::Failed);
        let listed = self.names.iter().filter(|name| packages.contains(&name.package.as_str()));
        let stale = listed.filter_map(|name| match results.ending(name) {
            Some(Ending::Failed | Ending::Open | Ending::Paused) => None,
            Some(Ending::Passed) => Some(Surprise::Passed(name.clone())),
            Some(Ending::Skipped) => Some(Surprise::Skipped(name.clone())),
            None => absent(name, results, whole),
        });
        unexpected.chain(stale).collect()
    }

    /// Takes the failures of this run as the expected ones, of the tests that ran.
    pub(super) fn bless(&mut self, results: &Results, packages: &[&str], whole: bool) {
        let stale: Vec<Name> = self
            .compare(results, packages, whole)
            .into_iter()
            .filter_map(|surprise| match surprise {
                Surprise::Failed(_) => None,
                Surprise::Passed(name) | Surprise::Skipped(name) | Surprise::Absent(name) => Some(name),
            })
            .collect();
        for name in stale {
            self.names.remove(&name);
        }
        self.names.extend(results.failures().cloned());
    }
}

/// A listed test that did not run is stale, unless a failure before it kept it from running.
fn absent(name: &Name, results: &Results, whole: bool) -> Option<Surprise> {
    match results.ending(&name.top()) {
        Some(Ending::Failed | Ending::Open | Ending::Paused) => None,
        None if !whole => None,
        _ => Some(Surprise::Absent(name.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::{Name, Results};
    use super::{Expected, Surprise};

    fn results(endings: &[(&str, &str)]) -> Results {
        let mut results = Results::default();
        for (action, test) in endings {
            results.take("csapi", &format!(r#"{{"Action":"{action}","Test":"{test}"}}"#));
        }
        results
    }

    fn name(test: &str) -> Name {
        Name::new("csapi", test)
    }

    #[test]
    fn a_run_that_fails_as_listed_is_no_surprise() {
        let expected = Expected::parse("# why\ncsapi: TestA\ncsapi: TestA/one two\ntests: TestZ\n").unwrap();
        let results = results(&[("fail", "TestA/one two"), ("fail", "TestA"), ("pass", "TestB")]);
        assert_eq!(expected.compare(&results, &["csapi"], true), []);
    }

    #[test]
    fn a_failure_that_is_not_listed_is_a_surprise() {
        let expected = Expected::parse("csapi: TestA\n").unwrap();
        let results = results(&[("fail", "TestA"), ("fail", "TestA/sub")]);
        assert_eq!(expected.compare(&results, &["csapi"], true), [Surprise::Failed(name("TestA/sub"))]);
    }

    #[test]
    fn a_listed_test_that_passes_or_is_gone_is_a_surprise() {
        let expected = Expected::parse("csapi: TestA\ncsapi: TestB\ncsapi: TestC\n").unwrap();
        let results = results(&[("pass", "TestA"), ("skip", "TestB")]);
        assert_eq!(
            expected.compare(&results, &["csapi"], true),
            [
                Surprise::Passed(name("TestA")),
                Surprise::Skipped(name("TestB")),
                Surprise::Absent(name("TestC")),
            ]
        );
    }

    #[test]
    fn a_run_of_some_tests_says_nothing_of_the_others() {
        let expected = Expected::parse("csapi: TestA\ncsapi: TestB\n").unwrap();
        assert_eq!(expected.compare(&results(&[("fail", "TestA")]), &["csapi"], false), []);
    }

    #[test]
    fn a_listed_subtest_that_a_failing_parent_never_reached_is_no_surprise() {
        let expected = Expected::parse("csapi: TestA\ncsapi: TestA/late\n").unwrap();
        assert_eq!(expected.compare(&results(&[("fail", "TestA")]), &["csapi"], true), []);
    }

    #[test]
    fn blessing_leaves_a_list_that_the_same_run_agrees_with() {
        let mut expected = Expected::parse("# why\n\ncsapi: TestA\ncsapi: TestGone\ntests: TestZ\n").unwrap();
        let results = results(&[("pass", "TestA"), ("fail", "TestB"), ("fail", "TestB/sub")]);
        expected.bless(&results, &["csapi"], true);
        assert_eq!(expected.text(), "# why\ncsapi: TestB\ncsapi: TestB/sub\ntests: TestZ\n");
        assert_eq!(expected.compare(&results, &["csapi"], true), []);
    }

    #[test]
    fn a_line_that_is_no_name_is_refused_with_its_number() {
        assert_eq!(Expected::parse("csapi: TestA\nTestB\n").unwrap_err(), (2, "TestB".to_owned()));
    }
}
