//! A PostgreSQL cluster of its own for one measurement, with the settings that Debian ships (durable commits,
//! fsync on), reachable on the loopback address only.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use tempfile::TempDir;

use super::server;
use crate::shell::{self, Failure, Outcome, Program};

/// Longest wait for the cluster to accept connections.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Longest wait for it to write everything out and end.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// PostgreSQL refuses to run as the superuser: then it runs as this user.
const USER: &str = "postgres";

/// A running cluster; dropped, it ends and its files are removed.
pub(crate) struct Cluster {
    postmaster: Child,
    programs: PathBuf,
    port: u16,
    _directory: TempDir,
}

impl Cluster {
    /// Makes the cluster and starts it.
    pub(crate) fn start() -> Outcome<Self> {
        let programs = programs()?;
        let directory = server::directory()?;
        let data = directory.path().join("postgres");
        std::fs::create_dir(&data)?;
        if shell::is_superuser() {
            Program::new("chown").argument(format!("{USER}:")).argument(&data).capture()?;
        }
        as_postgres()
            .argument(programs.join("initdb"))
            .arguments(["--auth=trust", "--locale=C", "--encoding=UTF8", "--username=postgres", "--pgdata"])
            .argument(&data)
            .within(directory.path())
            .capture()?;
        let port = server::free_port()?;
        let mut postmaster =
            postmaster(&programs, &data, port).start(&directory.path().join("postgres.log"))?;
        let ready = shell::wait_until(START_LIMIT, &mut postmaster, || {
            // `pg_isready` alone would also be pleased by somebody else's cluster on a reused port.
            data.join("postmaster.pid").is_file() && TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let cluster = Self { postmaster, programs, port, _directory: directory };
        if ready { Ok(cluster) } else { Err(Failure::new("PostgreSQL did not start")) }
    }

    /// Creates an empty database.
    pub(crate) fn create(&self, database: &str) -> Outcome<()> {
        let port = self.port.to_string();
        Program::new(self.programs.join("createdb"))
            .arguments(["--host=127.0.0.1", "--username=postgres", "--template=template0", "--port", &port])
            .argument(database)
            .capture()
            .map(drop)
    }

    /// Port on the loopback address; the user is `postgres`, without a password.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its first process, the parent of all others.
    pub(crate) fn pid(&self) -> u32 {
        self.postmaster.id()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown: it does not wait for its clients.
        shell::end(&mut self.postmaster, "INT", STOP_LIMIT);
    }
}

fn postmaster(programs: &Path, data: &Path, port: u16) -> Program {
    as_postgres()
        .argument(programs.join("postgres"))
        .argument("-D")
        .argument(data)
        .arguments(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=on"])
        .argument("-c")
        .argument(format!("unix_socket_directories={}", data.display()))
        .within(data)
}

fn as_postgres() -> Program {
    let program = server::mortal();
    if !shell::is_superuser() {
        return program.argument("--");
    }
    let (user, group) = (format!("--reuid={USER}"), format!("--regid={USER}"));
    program.arguments([&user, &group, "--init-groups", "--"])
}

/// Debian keeps the programs of each major version apart: those of the newest.
fn programs() -> Outcome<PathBuf> {
    if let Some(found) = newest() {
        return Ok(found);
    }
    shell::install(&["postgresql"])?;
    newest().ok_or_else(|| Failure::new("PostgreSQL is not installed below /usr/lib/postgresql"))
}

fn newest() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let numbered = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let programs = |version: u32| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"));
    numbered.filter(|version| programs(*version).join("initdb").is_file()).max().map(programs)
}
