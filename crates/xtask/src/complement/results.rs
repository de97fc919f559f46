//! What `go test -json` says of the tests.
//!
//! Knows nothing of what was expected.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It has not ended.
    Open,
    /// It waits until the tests that run alone are done.
    Paused,
    Passed,
    Failed,
    Skipped,
}

/// A test's package and its name with its parents' names before it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) package: String,
    pub(super) test: String,
}

impl Name {
    pub(super) fn new(package: &str, test: &str) -> Self {
        Self { package: package.to_owned(), test: test.to_owned() }
    }

    /// Whether the test stands in no other.
    pub(super) fn is_top(&self) -> bool {
        !self.test.contains('/')
    }

    /// The test that this one stands in, at the outermost.
    pub(super) fn top(&self) -> Self {
        let top = self.test.split('/').next().unwrap_or(&self.test);
        Self::new(&self.package, top)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.package, self.test)
    }
}

/// One line of `go test -json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    test: Option<String>,
    #[serde(default)]
    elapsed: f64,
}

/// How many top-level tests ended in which way.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl fmt::Display for Totals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// How every test and subtest ended.
#[derive(Debug, Default)]
pub(super) struct Results {
    endings: BTreeMap<Name, Ending>,
}

impl Results {
    /// Takes one line; returns what to print when it ends a top-level test. Lines that are no event are ignored.
    pub(super) fn take(&mut self, package: &str, line: &str) -> Option<String> {
        let event: Event = serde_json::from_str(line).ok()?;
        let name = Name::new(package, event.test.as_deref()?);
        let ending = match event.action.as_str() {
            "run" | "cont" => Ending::Open,
            "pause" => Ending::Paused,
            "pass" => Ending::Passed,
            "fail" => Ending::Failed,
            "skip" => Ending::Skipped,
            _ => return None,
        };
        let finished = (name.is_top() && !matches!(ending, Ending::Open | Ending::Paused))
            .then(|| format!("{:>7} {} ({:.1} s)", word(ending), name.test, event.elapsed));
        self.endings.insert(name, ending);
        finished
    }

    /// A package's run is over: a test that did not end in it has failed, but one that was waiting has not begun.
    pub(super) fn close(&mut self, package: &str) {
        let waiting: BTreeSet<Name> = self
            .of(package)
            .filter(|(name, ending)| name.is_top() && **ending == Ending::Paused)
            .map(|(name, _)| name.clone())
            .collect();
        self.endings.retain(|name, _| !waiting.contains(&name.top()));
        for (name, ending) in &mut self.endings {
            if name.package == package && matches!(ending, Ending::Open | Ending::Paused) {
                *ending = Ending::Failed;
            }
        }
    }

    /// Those of the top-level tests that have not ended.
    pub(super) fn without_ending(&self, package: &str, tests: &[String]) -> Vec<String> {
        tests.iter().filter(|test| !self.endings.contains_key(&Name::new(package, test))).cloned().collect()
    }

    /// Takes these tests as failed.
    pub(super) fn fail(&mut self, package: &str, tests: &[String]) {
        self.endings.extend(tests.iter().map(|test| (Name::new(package, test), Ending::Failed)));
    }

    fn of<'results>(
        &'results self,
        package: &'results str,
    ) -> impl Iterator<Item = (&'results Name, &'results Ending)> {
        self.endings.iter().filter(move |(name, _)| name.package == package)
    }

    /// How many tests and subtests are known.
    pub(super) fn count(&self) -> usize {
        self.endings.len()
    }

    pub(super) fn ending(&self, name: &Name) -> Option<Ending> {
        self.endings.get(name).copied()
    }

    pub(super) fn failures(&self) -> impl Iterator<Item = &Name> {
        self.endings.iter().filter(|(_, ending)| **ending == Ending::Failed).map(|(name, _)| name)
    }

    pub(super) fn totals(&self, package: &str) -> Totals {
        let mut totals = Totals::default();
        for (_, ending) in self.of(package).filter(|(name, _)| name.is_top()) {
            match ending {
                Ending::Passed => totals.passed += 1,
                Ending::Skipped => totals.skipped += 1,
                Ending::Failed | Ending::Open | Ending::Paused => totals.failed += 1,
            }
        }
        totals
    }
}

fn word(ending: Ending) -> &'static str {
    match ending {
        Ending::Open | Ending::Paused => "open",
        Ending::Passed => "ok",
        Ending::Failed => "FAILED",
        Ending::Skipped => "skipped",
    }
}

#[cfg(test)]
mod tests {
    use super::{Ending, Name, Results, Totals};

    #[test]
    fn a_test_that_never_ended_has_failed() {
        let mut results = Results::default();
        results.take("csapi", r#"{"Action":"run","Package":"p","Test":"TestA"}"#);
        results.take("csapi", r#"{"Action":"run","Package":"p","Test":"TestA/sub"}"#);
        results.take("csapi", r#"{"Action":"pass","Package":"p","Test":"TestA/sub","Elapsed":1}"#);
        results.close("csapi");
        assert_eq!(results.ending(&Name::new("csapi", "TestA")), Some(Ending::Failed));
        assert_eq!(results.ending(&Name::new("csapi", "TestA/sub")), Some(Ending::Passed));
    }

    #[test]
    fn a_test_that_was_waiting_when_the_suite_crashed_can_run_again() {
        let mut results = Results::default();
        for (action, test) in [("run", "TestA"), ("pause", "TestA"), ("run", "TestB"), ("run", "TestB/sub")] {
            results.take("csapi", &format!(r#"{{"Action":"{action}","Test":"{test}"}}"#));
        }
        results.close("csapi");
        let all = ["TestA", "TestB", "TestC"].map(str::to_owned);
        assert_eq!(results.without_ending("csapi", &all), ["TestA", "TestC"]);
        results.fail("csapi", &all[2..]);
        assert_eq!(results.totals("csapi"), Totals { passed: 0, failed: 2, skipped: 0 });
    }

    #[test]
    fn totals_count_only_top_level_tests() {
        let mut results = Results::default();
        for (action, test) in [("pass", "TestA"), ("fail", "TestB"), ("fail", "TestB/sub"), ("skip", "TestC")]
        {
            results.take("csapi", &format!(r#"{{"Action":"{action}","Test":"{test}"}}"#));
        }
        results.take("tests", r#"{"Action":"pass","Test":"TestD"}"#);
        assert_eq!(results.totals("csapi"), Totals { passed: 1, failed: 1, skipped: 1 });
    }

    #[test]
    fn output_and_noise_are_no_endings() {
        let mut results = Results::default();
        assert_eq!(results.take("csapi", r#"{"Action":"output","Test":"TestA","Output":"--- FAIL"}"#), None);
        assert_eq!(results.take("csapi", "FAIL\tpackage [build failed]"), None);
        assert_eq!(results.count(), 0);
    }
}
