//! The steps of a run: what ran, how long it took, how it ended.

use std::process::ExitCode;
use std::time::Duration;

use crate::shell::{Outcome, now};

/// Steps that ran so far.
pub(super) struct Steps {
    wanted: Vec<String>,
    done: Vec<Step>,
}

struct Step {
    name: &'static str,
    took: Duration,
    ending: Ending,
}

enum Ending {
    Passed,
    Failed(String),
    Skipped(&'static str),
}

impl Steps {
    /// No step has run. Only those in `wanted` will, or all if it is empty.
    pub(super) fn new(wanted: &[String]) -> Self {
        Self { wanted: wanted.to_vec(), done: Vec::new() }
    }

    /// Whether this step, or one whose name begins so, is wanted.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.wanted.is_empty()
            || self.wanted.iter().any(|wanted| wanted == name || wanted.starts_with(&format!("{name}-")))
    }

    /// Runs a step if it is wanted.
    pub(super) fn run(&mut self, name: &'static str, work: impl FnOnce() -> Outcome<()>) {
        if self.wants(name) {
            self.always(name, work);
        }
    }

    /// Runs a step that others need.
    pub(super) fn always(&mut self, name: &'static str, work: impl FnOnce() -> Outcome<()>) {
        println!("\n== {name}");
        let start = now();
        let ending = match work() {
            Ok(()) => Ending::Passed,
            Err(failure) => {
                println!("{name} failed: {failure}");
                Ending::Failed(failure.to_string())
            }
        };
        self.done.push(Step { name, took: now().duration_since(start), ending });
    }

    /// Says that a step does not run, and why.
    pub(super) fn skip(&mut self, name: &'static str, why: &'static str) {
        if self.wants(name) {
            println!("\n== {name}: NOT RUN: {why}");
            self.done.push(Step { name, took: Duration::ZERO, ending: Ending::Skipped(why) });
        }
    }

    /// Prints the table; the exit code fails if a step did, or if none ran.
    pub(super) fn summary(&self) -> ExitCode {
        for Step { name, ending, .. } in &self.done {
            if let Ending::Failed(why) = ending {
                println!("\n== why {name} failed: {why}");
            }
        }
        println!("\n{}", self.table());
        if self.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn is_good(&self) -> bool {
        let passed = |step: &Step| matches!(step.ending, Ending::Passed);
        let failed = |step: &Step| matches!(step.ending, Ending::Failed(_));
        self.done.iter().any(passed) && !self.done.iter().any(failed)
    }

    fn table(&self) -> String {
        let width = self.done.iter().map(|step| step.name.len()).max().unwrap_or_default();
        let mut table = String::new();
        for Step { name, took, ending } in &self.done {
            let ending = match ending {
                Ending::Passed => "passed".to_owned(),
                Ending::Failed(why) => {
                    format!("FAILED: {}", why.lines().next().unwrap_or_default())
                }
                Ending::Skipped(why) => format!("NOT RUN: {why}"),
            };
            table.push_str(&format!("{name:<width$}  {:>5} s  {ending}\n", took.as_secs()));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::Steps;
    use crate::shell::Failure;

    #[test]
    fn one_failed_step_fails_the_run_and_does_not_stop_it() {
        let mut steps = Steps::new(&[]);
        steps.run("one", || Err(Failure::new("broken\nin detail")));
        steps.run("second", || Ok(()));
        steps.skip("third", "nothing there");
        assert_eq!(
            steps.table(),
            "one         0 s  FAILED: broken\nsecond      0 s  passed\nthird       0 s  NOT RUN: nothing there\n"
        );
        assert!(!steps.is_good());
    }

    #[test]
    fn only_the_wanted_steps_run() {
        let mut steps = Steps::new(&["tidy".to_owned(), "interop-sqlite".to_owned()]);
        steps.run("format", || Err(Failure::new("not wanted")));
        steps.run("tidy", || Ok(()));
        assert!(steps.is_good());
        assert!(steps.wants("interop"));
        assert!(!steps.wants("interop-postgres"));
    }

    #[test]
    fn a_run_of_no_step_is_no_success() {
        assert!(!Steps::new(&["misspelt".to_owned()]).is_good());
    }
}
