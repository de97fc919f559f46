//! A server that runs for the time of one measurement: its directory, its process, its database's process. All
//! of it ends when the value is dropped, also on failure; and with us, if we are killed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use tempfile::TempDir;

use crate::postgres::Cluster;
use crate::shell::{self, Failure, Outcome, Program};

/// Longest wait for a server to answer after its start.
const START_LIMIT: Duration = Duration::from_secs(120);
/// Longest wait for it to end after being asked.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A server that answers. Fields are dropped in this order: server, database, files.
pub(crate) struct Running {
    server: Process,
    cluster: Option<Cluster>,
    directory: TempDir,
    port: u16,
}

/// A child process that is ended when this is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        shell::end(&mut self.0, "TERM", STOP_LIMIT);
    }
}

impl Running {
    /// Starts `program` and waits until it answers on `port`.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        directory: TempDir,
        cluster: Option<Cluster>,
        port: u16,
    ) -> Outcome<Self> {
        let log = log(&directory);
        let child = mortal().argument("--").argument(program).arguments(arguments);
        let child = child.within(directory.path()).start(&log)?;
        let mut running = Self { server: Process(child), cluster, directory, port };
        if shell::wait_until(START_LIMIT, &mut running.server.0, || answers(port)) {
            return Ok(running);
        }
        let said = running.last_words();
        Err(Failure::new(format!("{} did not come to answer:\n{said}", program.display())))
    }

    /// Its base address.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The server and its database.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let database = self.cluster.as_ref().map(Cluster::pid);
        [self.server.0.id()].into_iter().chain(database).collect()
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        shell::tail(&log(&self.directory), 20)
    }
}

fn log(directory: &TempDir) -> PathBuf {
    directory.path().join("server.log")
}

/// Begins a command whose process (the program itself: setpriv becomes it) gets SIGTERM should we die.
pub(crate) fn mortal() -> Program {
    Program::new("setpriv").arguments(["--pdeathsig", "TERM"])
}

/// Builds one package in release mode and returns its program.
pub(crate) fn build_release(package: &str, program: &str) -> Outcome<PathBuf> {
    build(package, program, &["--release"], "release")
}

/// Builds one package in the development profile and returns its program.
pub(crate) fn build_debug(package: &str, program: &str) -> Outcome<PathBuf> {
    build(package, program, &[], "debug")
}

fn build(package: &str, program: &str, profile: &[&str], folder: &str) -> Outcome<PathBuf> {
    Program::cargo().argument("build").arguments(profile).arguments(["--package", package]).run()?;
    let path = shell::target().join(folder).join(program);
    if path.is_file() { Ok(path) } else { Err(Failure::new(format!("cargo built no {}", path.display()))) }
}

/// A directory for a server's files, removed at the end.
pub(crate) fn directory() -> Outcome<TempDir> {
    Ok(tempfile::Builder::new().prefix("parvis-bench-").tempdir()?)
}

/// Whether the server answers the request that every homeserver answers.
fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(
            b"GET /_matrix/client/versions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        )?;
        let mut begin = [0; 12];
        stream.read_exact(&mut begin)?;
        Ok(String::from_utf8_lossy(&begin).into_owned())
    };
    ask().is_ok_and(|status| status.ends_with(" 200"))
}
