//! Running other programs, and the little that the subcommands need of the machine they stand on.
//!
//! Knows nothing of what the programs do.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How many of the last lines of a program a failure has.
const RECALLED: usize = 25;

/// How long the outputs of a program that has ended are waited for.
const LEFT_BEHIND: Duration = Duration::from_secs(5);

/// Why a task stopped, in words for the person at the terminal.
#[derive(Debug)]
pub(crate) struct Failure(String);

/// The result of a task or of a part of it.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure that says `text`.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Turns an error of the operating system into a failure that names `path`.
    pub(crate) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |error| Self(format!("{path}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// A program to be run: its name, arguments, variables and place.
pub(crate) struct Program {
    name: OsString,
    command: Command,
}

impl Program {
    /// A program found on the path or named by its file.
    pub(crate) fn new(name: impl AsRef<OsStr>) -> Self {
        Self { name: name.as_ref().to_owned(), command: Command::new(name.as_ref()) }
    }

    /// Cargo, the one that runs us, in the workspace.
    pub(crate) fn cargo() -> Self {
        Self::new(variable("CARGO").unwrap_or_else(|| "cargo".into())).within(&workspace())
    }

    /// Adds one argument.
    pub(crate) fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub(crate) fn arguments<T: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets an environment variable.
    pub(crate) fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs in this directory.
    pub(crate) fn within(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Runs with the terminal as its output; a non-zero exit is a failure.
    pub(crate) fn run(mut self) -> Outcome<()> {
        let status = self.command.status().map_err(|error| self.cannot_start(&error))?;
        self.judge(status)
    }

    /// As [`Program::run`]; a failure also has the last lines that were printed, for those who see only the end of a log.
    pub(crate) fn run_and_recall(mut self) -> Outcome<()> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().map_err(|error| self.cannot_start(&error))?;
        let last = Arc::new(Mutex::new(VecDeque::new()));
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let (one, other) = (Arc::clone(&last), Arc::clone(&last));
        let readers = [
            thread::spawn(move || out.map(|out| pass_on(out, &mut std::io::stdout(), &one))),
            thread::spawn(move || err.map(|err| pass_on(err, &mut std::io::stderr(), &other))),
        ];
        let status = child.wait()?;
        // What it left behind may hold its outputs open.
        let start = now();
        while readers.iter().any(|reader| !reader.is_finished()) && now().duration_since(start) < LEFT_BEHIND
        {
            thread::sleep(Duration::from_millis(20));
        }
        self.judge(status).map_err(|Failure(why)| {
            let last: Vec<String> = last.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
            Failure(format!("{why}\n{}", last.join("\n")))
        })
    }

    /// Runs in silence and returns what it printed; a non-zero exit is a failure that ends with what it said.
    pub(crate) fn capture(mut self) -> Outcome<String> {
        let output = self.command.stdin(Stdio::null()).output().map_err(|error| self.cannot_start(&error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let failure = self.failed(output.status);
        Err(Failure(format!("{failure}: {}", said.trim_end())))
    }

    /// Starts it and returns at once; `log` takes both its outputs.
    pub(crate) fn start(mut self, log: &Path) -> Outcome<Child> {
        let file = std::fs::File::create(log).map_err(Failure::at(log))?;
        let copy = file.try_clone().map_err(Failure::at(log))?;
        self.command.stdin(Stdio::null()).stdout(file).stderr(copy);
        self.command.spawn().map_err(|error| self.cannot_start(&error))
    }

    /// Starts it with its standard output as a pipe.
    pub(crate) fn pipe(mut self) -> Outcome<Child> {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped());
        self.command.spawn().map_err(|error| self.cannot_start(&error))
    }

    fn judge(&self, status: ExitStatus) -> Outcome<()> {
        if status.success() { Ok(()) } else { Err(self.failed(status)) }
    }

    fn failed(&self, status: ExitStatus) -> Failure {
        Failure(format!("`{}` ended with {status}", self.name.to_string_lossy()))
    }

    fn cannot_start(&self, error: &std::io::Error) -> Failure {
        Failure(format!("`{}` cannot be started: {error}", self.name.to_string_lossy()))
    }
}

/// Copies lines as they come and keeps the last ones in mind.
fn pass_on(from: impl Read, to: &mut impl Write, last: &Mutex<VecDeque<String>>) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // Whoever reads the output may go away; the program is heard to its end all the same.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == RECALLED {
            last.pop_front();
        }
        last.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
}

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    // As cargo says it now: a clone may find this program as another clone has compiled it.
    let here =
        variable("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.ancestors().nth(2).unwrap_or(&here).to_owned()
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    variable("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), |path| workspace().join(path))
}

/// The server's program of the development profile, built if it is not fresh.
pub(crate) fn build_parvis() -> Outcome<PathBuf> {
    Program::cargo().arguments(["build", "--package", "parvis-server"]).run()?;
    let program = target().join("debug/parvis");
    if program.is_file() {
        Ok(program)
    } else {
        Err(Failure::new(format!("{} was not built", program.display())))
    }
}

/// Where things are kept from run to run: `$XDG_CACHE_HOME/parvis`, else `~/.cache/parvis`.
pub(crate) fn cache() -> Outcome<PathBuf> {
    let base = variable("XDG_CACHE_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".cache")))
        .ok_or_else(|| Failure::new("neither XDG_CACHE_HOME nor HOME says where to keep files"))?;
    let path = base.join("parvis");
    std::fs::create_dir_all(&path).map_err(Failure::at(&path))?;
    Ok(path)
}

/// An environment variable of the person or machine that runs the task.
#[expect(clippy::disallowed_methods, reason = "a development tool has no configuration but its environment")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Now, for measuring how long a step takes and for giving up waiting.
#[expect(clippy::disallowed_methods, reason = "a development tool runs in real time only")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Whether we are the superuser, who may install packages and start an engine.
pub(crate) fn is_superuser() -> bool {
    Program::new("id").argument("-u").capture().is_ok_and(|id| id.trim() == "0")
}

/// Finds a program on the path or in the places where Debian keeps those of the superuser.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

/// Installs Debian packages, where we may; says what it does.
pub(crate) fn install(packages: &[&str]) -> Outcome<()> {
    if !is_superuser() || find("apt-get").is_none() {
        return Err(Failure::new(format!(
            "{} must be installed, and only the superuser of a Debian system can do that from here",
            packages.join(", ")
        )));
    }
    println!("installing {} with apt-get", packages.join(" "));
    let apt = || Program::new("apt-get").variable("DEBIAN_FRONTEND", "noninteractive").argument("-q");
    apt().arguments(["update"]).capture()?;
    apt()
        .arguments(["install", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold"])
        .arguments(packages)
        .capture()?;
    Ok(())
}

/// Asks `ready` again and again until it says yes, `child` ends, or `limit` is over.
pub(crate) fn wait_until(limit: Duration, child: &mut Child, mut ready: impl FnMut() -> bool) -> bool {
    let start = now();
    while now().duration_since(start) < limit {
        if ready() {
            return true;
        }
        if !matches!(child.try_wait(), Ok(None)) {
            return false;
        }
        thread::sleep(Duration::from_millis(200));
    }
    false
}

/// Sends `signal` to a process that we started, waits until it ends, and kills it if it does not.
pub(crate) fn end(child: &mut Child, signal: &str, limit: Duration) {
    let process = child.id().to_string();
    // The shell's own, since a small system has no such program.
    let _ = Program::new("sh").arguments(["-c", "kill -s \"$0\" \"$1\"", signal, &process]).capture();
    if !wait_until_ended(child, limit) {
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn wait_until_ended(child: &mut Child, limit: Duration) -> bool {
    let start = now();
    while now().duration_since(start) < limit {
        if !matches!(child.try_wait(), Ok(None)) {
            return true;
        }
        thread::sleep(Duration::from_millis(100));
    }
    false
}

/// The last lines of a log file, for an error message.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let mut text = String::new();
    if std::fs::File::open(log).and_then(|mut file| file.read_to_string(&mut text)).is_err() {
        return String::new();
    }
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
