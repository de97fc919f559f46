//! `cargo xtask complement`: Complement, the black-box conformance suite, against our own server.
//!
//! Starts a Docker engine if none runs, builds an image around the server's program, runs the suite's Go
//! packages from the module that `complement/go.mod` pins, and compares the outcome with
//! `complement/expected-failures.txt`. Where there is no engine or no suite it says so and skips.

mod engine;
mod expected;
mod image;
mod results;

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use self::engine::Engine;
use self::expected::Expected;
use self::results::Results;
use crate::shell::{self, Failure, Outcome, Program, now};

/// The Go module that holds the suite.
const MODULE: &str = "github.com/matrix-org/complement";

/// How often a run goes on after a crash of the suite.
const CRASHES: usize = 5;

/// Arguments of `cargo xtask complement`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which of the suite's packages to run.
    #[arg(long, value_enum, default_value = "csapi")]
    package: Package,
    /// Run only tests that match this expression of `go test -run`.
    #[arg(long, value_name = "REGEX")]
    run: Option<String>,
    /// Write the failures of this run as the expected ones.
    #[arg(long)]
    bless: bool,
    /// An image to build on, with openssl in it, instead of a Debian root made here.
    #[arg(long, value_name = "IMAGE")]
    base: Option<String>,
    /// Seconds until one package's run is ended.
    #[arg(long, default_value_t = 2400)]
    limit: u64,
    /// The exit code when there is no Docker engine or no suite.
    #[arg(long, default_value_t = 0)]
    skipped_exit_code: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Package {
    /// The client-server API.
    Csapi,
    /// Federation, room versions and media.
    Tests,
    /// Single proposals, of which not all are meant to work.
    Mscs,
    /// The first two.
    All,
}

/// The packages that test single proposals.
const MSCS: &[&str] = &[
    "msc2836", "msc3391", "msc3757", "msc3874", "msc3890", "msc3902", "msc3930", "msc3967", "msc4140",
    "msc4155", "msc4222", "msc4306",
];

impl Package {
    fn names(self) -> Vec<&'static str> {
        let mut names = Vec::new();
        if matches!(self, Self::Csapi | Self::All) {
            names.push("csapi");
        }
        if matches!(self, Self::Tests | Self::All) {
            names.push("tests");
        }
        if self == Self::Mscs {
            names.extend(MSCS);
        }
        names
    }
}

/// The import path of a package by the short name that our list uses.
fn import_path(package: &str) -> String {
    if package == "tests" { format!("{MODULE}/tests") } else { format!("{MODULE}/tests/{package}") }
}

/// Runs the suite and fails unless exactly the expected tests fail.
pub(crate) fn run(arguments: &Arguments) -> Outcome<ExitCode> {
    let packages = &arguments.package.names();
    if let Err(failure) = find_suite(packages) {
        return Ok(skipped(arguments, "the suite's Go module cannot be had", &failure));
    }
    let engine = match Engine::obtain(&shell::cache()?.join("docker")) {
        Ok(engine) => engine,
        Err(failure) => return Ok(skipped(arguments, "no Docker engine", &failure)),
    };
    let program = shell::build_parvis()?;
    let image = image::build(&engine, &program, arguments.base.as_deref())?;
    let mut results = Results::default();
    for package in packages {
        run_package(&engine, &image, package, arguments, &mut results)?;
    }
    drop(engine);
    judge(arguments, packages, &results)
}

fn skipped(arguments: &Arguments, reason: &str, failure: &Failure) -> ExitCode {
    eprintln!("\n{failure}\n");
    println!("SKIPPED: {reason}");
    println!("Complement was NOT run; nothing is known about conformance from this run.");
    ExitCode::from(arguments.skipped_exit_code)
}

fn module_folder() -> PathBuf {
    shell::workspace().join("complement")
}

/// Resolves every package that the run needs, so that a missing module is told from a failing test.
fn find_suite(packages: &[&str]) -> Outcome<()> {
    if shell::find("go").is_none() {
        return Err(Failure::new("Go is not installed, and the suite is written in it"));
    }
    Program::new("go")
        .within(&module_folder())
        .arguments(["list", "-deps", "-test"])
        .arguments(packages.iter().map(|package| import_path(package)))
        .capture()
        .map(drop)
}

/// One package's run against an image.
struct Run<'run> {
    engine: &'run Engine,
    image: &'run str,
    package: &'run str,
    limit_seconds: u64,
    log: PathBuf,
    /// For the suite's own temporary files.
    scratch: tempfile::TempDir,
}

impl Run<'_> {
    /// Runs the package. A panic in one test ends the suite's process, so the run goes on with the tests that are
    /// left, as often as `CRASHES`.
    fn complete(&self, expression: Option<&str>, results: &mut Results) -> Outcome<()> {
        if let Some(expression) = expression {
            return self.once(expression, results);
        }
        let all = self.list()?;
        let mut left = all.clone();
        for _ in 0..=CRASHES {
            self.once(&format!("^({})$", left.join("|")), results)?;
            let before = left.len();
            left = results.without_ending(self.package, &all);
            if left.is_empty() || left.len() == before {
                break;
            }
            println!("the suite itself crashed; going on with the {} tests that are left", left.len());
        }
        results.fail(self.package, &left);
        Ok(())
    }

    /// The names of the package's tests.
    fn list(&self) -> Outcome<Vec<String>> {
        let output = self.go("-list").argument(".").argument(import_path(self.package)).capture()?;
        Ok(output.lines().filter(|line| line.starts_with("Test")).map(str::to_owned).collect())
    }

    fn once(&self, expression: &str, results: &mut Results) -> Outcome<()> {
        let mut child = self
            .go("-json")
            .arguments(["-count=1", "-p=1", "-parallel=2"])
            .argument(format!("-timeout={}s", self.limit_seconds))
            .arguments(["-run", expression])
            .argument(import_path(self.package))
            .pipe()?;
        let before = results.count();
        if let Some(output) = child.stdout.take() {
            follow(BufReader::new(output), &self.log, self.package, results)?;
        }
        let status = child.wait()?;
        results.close(self.package);
        if results.count() == before && !status.success() {
            return Err(Failure::new(format!(
                "{}: no test ran: {}",
                self.package,
                shell::tail(&self.log, 20)
            )));
        }
        Ok(())
    }

    /// `go test` with what the suite wants to know.
    fn go(&self, flag: &str) -> Program {
        self.engine
            .aim(Program::new("go").within(&module_folder()).arguments(["test", flag]))
            .variable("COMPLEMENT_BASE_IMAGE", self.image)
            .variable("COMPLEMENT_ENABLE_DIRTY_RUNS", "1")
            .variable("COMPLEMENT_SPAWN_HS_TIMEOUT_SECS", "60")
            .variable("TMPDIR", self.scratch.path())
    }
}

fn run_package(
    engine: &Engine,
    image: &str,
    package: &str,
    arguments: &Arguments,
    results: &mut Results,
) -> Outcome<()> {
    let start = now();
    let log = shell::cache()?.join(format!("complement-{package}.jsonl"));
    std::fs::write(&log, "").map_err(Failure::at(&log))?;
    println!("\n== Complement: {package} (full output: {})", log.display());
    let scratch = tempfile::tempdir()?;
    let run = Run { engine, image, package, limit_seconds: arguments.limit, log, scratch };
    run.complete(arguments.run.as_deref(), results)?;
    println!("== {package} took {} s", now().duration_since(start).as_secs());
    Ok(())
}

/// Reads the events of `go test -json`, keeps them in `log`, and prints each finished test.
fn follow(events: impl BufRead, log: &Path, package: &str, results: &mut Results) -> Outcome<()> {
    let mut file = std::fs::File::options().append(true).open(log).map_err(Failure::at(log))?;
    for line in events.lines() {
        let line = line?;
        writeln!(file, "{line}").map_err(Failure::at(log))?;
        if let Some(finished) = results.take(package, &line) {
            println!("{finished}");
        }
    }
    Ok(())
}

fn judge(arguments: &Arguments, packages: &[&str], results: &Results) -> Outcome<ExitCode> {
    let path = module_folder().join("expected-failures.txt");
    let mut expected = Expected::read(&path)?;
    let whole = arguments.run.is_none();
    if arguments.bless {
        expected.bless(results, packages, whole);
        expected.write(&path)?;
        println!("\nwritten: {}", path.display());
    }
    let surprises = expected.compare(results, packages, whole);
    println!();
    for surprise in &surprises {
        println!("{surprise}");
    }
    for package in packages {
        println!("{package}: {}", results.totals(package));
    }
    if !surprises.is_empty() {
        println!("Complement: {} differences from {}", surprises.len(), path.display());
    }
    Ok(if surprises.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
