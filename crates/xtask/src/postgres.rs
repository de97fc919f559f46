//! A throw-away PostgreSQL cluster in a temporary directory, reachable on the loopback address only.
//!
//! The server refuses to run as the superuser, so there it runs as the user `postgres`. It knows nothing of what
//! its databases are for.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use tempfile::TempDir;

use crate::shell::{self, Failure, Outcome, Program};

/// How long the server may take to start, and to stop.
const LIMIT: Duration = Duration::from_secs(60);

/// Where Debian keeps the programs, one folder per major version.
const PROGRAMS: &str = "/usr/lib/postgresql";

/// What a commit means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commits {
    /// On the disk, as the programs come: for measuring.
    Durable,
    /// Never flushed: for tests, whose cluster is gone after the run.
    Forgettable,
}

/// A running cluster. It ends with this value, and with us should we be killed.
pub(crate) struct Cluster {
    server: Child,
    programs: PathBuf,
    port: u16,
    /// Removed with the value.
    _folder: TempDir,
}

impl Cluster {
    /// Makes a new cluster and starts it.
    pub(crate) fn start(commits: Commits) -> Outcome<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("parvis-postgres-").tempdir()?;
        own(folder.path())?;
        let data = folder.path().join("data");
        unprivileged(&programs.join("initdb"))
            .arguments(["--pgdata".as_ref(), data.as_os_str()])
            .arguments(["--username=parvis", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .within(folder.path())
            .capture()?;
        let port = free_port()?;
        let log = folder.path().join("server.log");
        let mut server = unprivileged(&programs.join("postgres"))
            .arguments(["-D".as_ref(), data.as_os_str()])
            .arguments(["-p".to_owned(), port.to_string()])
            .arguments(["-k".as_ref(), folder.path().as_os_str()])
            .arguments(["-h", "127.0.0.1"])
            .arguments(settings(commits).iter().flat_map(|setting| ["-c", setting]))
            .within(folder.path())
            .start(&log)?;
        let answers = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        if !shell::wait_until(LIMIT, &mut server, answers) {
            shell::end(&mut server, "INT", LIMIT);
            return Err(Failure::new(format!("PostgreSQL does not start:\n{}", shell::tail(&log, 8))));
        }
        let cluster = Self { server, programs, port, _folder: folder };
        println!("PostgreSQL from {} at {}", cluster.programs.display(), cluster.url("postgres"));
        Ok(cluster)
    }

    /// Where a database is, as `postgres://user@host:port/database`. There is no password.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://parvis@127.0.0.1:{}/{database}", self.port)
    }

    /// The port on the loopback address.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its first process, the parent of all others.
    pub(crate) fn pid(&self) -> u32 {
        self.server.id()
    }

    /// Makes an empty database.
    pub(crate) fn create(&self, database: &str) -> Outcome<()> {
        let at = ["--host=127.0.0.1", "--username=parvis", "--port", &self.port.to_string()];
        let createdb = Program::new(self.programs.join("createdb")).arguments(at);
        createdb.arguments(["--template=template0", database]).capture().map(drop)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The signal for a fast stop: one that does not wait for clients.
        shell::end(&mut self.server, "INT", LIMIT);
    }
}

/// What differs from the settings that the programs come with.
fn settings(commits: Commits) -> &'static [&'static str] {
    match commits {
        Commits::Durable => &["fsync=on"],
        Commits::Forgettable => &["fsync=off", "full_page_writes=off", "max_connections=400"],
    }
}

/// The folder of the newest server programs, installed if there are none.
fn programs() -> Outcome<PathBuf> {
    if newest(Path::new(PROGRAMS)).is_none() && shell::find("initdb").is_none() {
        // The package would make a cluster of its own and start it: only the programs are wanted.
        shell::install(&["postgresql-common"])?;
        let settings = Path::new("/etc/postgresql-common/createcluster.conf");
        std::fs::write(settings, "create_main_cluster = false\n").map_err(Failure::at(settings))?;
        shell::install(&["postgresql"])?;
    }
    newest(Path::new(PROGRAMS))
        .or_else(|| shell::find("initdb").and_then(|program| program.parent().map(Path::to_owned)))
        .ok_or_else(|| {
            Failure::new("there is no PostgreSQL server on this machine (or give --without-postgres)")
        })
}

fn newest(versions: &Path) -> Option<PathBuf> {
    let folders = std::fs::read_dir(versions).ok()?;
    folders
        .filter_map(|entry| {
            let version: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let programs = versions.join(version.to_string()).join("bin");
            programs.join("initdb").is_file().then_some((version, programs))
        })
        .max()
        .map(|(_, programs)| programs)
}

/// A program that must not run as the superuser.
fn unprivileged(program: &Path) -> Program {
    if shell::is_superuser() {
        // `setpriv` becomes the program, so that a signal to our child reaches it.
        Program::new("setpriv")
            .arguments(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig", "INT", "--"])
            .argument(program)
            .variable("HOME", "/nonexistent")
    } else {
        Program::new(program)
    }
}

/// Gives the folder to the user that the server runs as.
fn own(folder: &Path) -> Outcome<()> {
    if shell::is_superuser() {
        Program::new("chown").argument("postgres:postgres").argument(folder).capture()?;
    }
    Ok(())
}

/// A port of the loopback address that nobody uses now.
pub(crate) fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::newest;

    #[test]
    fn the_newest_installed_version_is_taken_by_number() {
        let versions = tempfile::TempDir::new().unwrap();
        for version in ["9", "15", "17", "notes"] {
            fs::create_dir_all(versions.path().join(version).join("bin")).unwrap();
        }
        for version in ["9", "15"] {
            fs::write(versions.path().join(version).join("bin/initdb"), "").unwrap();
        }
        assert_eq!(newest(versions.path()), Some(versions.path().join("15/bin")));
    }
}
