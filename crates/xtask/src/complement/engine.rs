//! A Docker engine: one that runs already, or one that we start and stop.
//!
//! Knows nothing of what runs in it.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use crate::shell::{self, Failure, Outcome, Program};

/// How long an engine may take until it answers.
const START: Duration = Duration::from_secs(60);
/// How long it may take to stop.
const STOP: Duration = Duration::from_secs(30);

/// Ways to start an engine, from the usual to what works on a machine with a poor kernel.
const WAYS: [&[&str]; 3] = [&[], &["--iptables=false"], &["--iptables=false", "--storage-driver=vfs"]];

/// An engine that answers. One that we started ends with this value.
pub(super) struct Engine {
    /// Where it listens, if not where `docker` looks by itself.
    address: Option<String>,
    /// The process, if we started it.
    process: Option<Child>,
}

impl Engine {
    /// Finds a running engine or starts one that keeps its data in `home`.
    pub(super) fn obtain(home: &Path) -> Outcome<Self> {
        let usual = Self { address: None, process: None };
        if usual.answers() {
            println!("using the Docker engine that runs already");
            return Ok(usual);
        }
        std::fs::create_dir_all(home).map_err(Failure::at(home))?;
        let socket = home.join("docker.sock");
        let ours = at(&socket);
        if ours.answers() {
            println!("using the Docker engine at {}", socket.display());
            return Ok(ours);
        }
        Self::start(home, &socket)
    }

    fn start(home: &Path, socket: &Path) -> Outcome<Self> {
        if !shell::is_superuser() {
            return Err(Failure::new("no Docker engine answers, and only the superuser can start one"));
        }
        // The engine adds `containerd/containerd.sock.ttrpc` to this folder, and sockets allow 107 bytes.
        if home.as_os_str().len() > 60 {
            return Err(Failure::new(format!(
                "{} is too long a path for the engine's sockets",
                home.display()
            )));
        }
        let daemon = daemon()?;
        let usual = Self { address: None, process: None };
        if usual.answers() {
            println!("installing the Docker engine started it");
            return Ok(usual);
        }
        let log = home.join("engine.log");
        for way in WAYS {
            println!("starting a Docker engine {}(log: {})", describe(way), log.display());
            let mut process = Program::new(&daemon)
                .arguments(["--data-root".as_ref(), home.join("data").as_os_str()])
                .arguments(["--exec-root".as_ref(), home.join("exec").as_os_str()])
                .arguments(["--pidfile".as_ref(), home.join("engine.pid").as_os_str()])
                .argument("--host")
                .argument(address(socket))
                .arguments(way)
                .start(&log)?;
            if shell::wait_until(START, &mut process, || at(socket).answers()) {
                return Ok(Self { process: Some(process), address: Some(address(socket)) });
            }
            shell::end(&mut process, "TERM", STOP);
        }
        Err(Failure::new(format!("the Docker engine does not start:\n{}", shell::tail(&log, 8))))
    }

    /// The client program, aimed at this engine.
    pub(super) fn docker(&self) -> Program {
        self.aim(Program::new("docker")).variable("DOCKER_BUILDKIT", "0")
    }

    /// Makes a program that speaks to an engine speak to this one.
    pub(super) fn aim(&self, program: Program) -> Program {
        match &self.address {
            Some(address) => program.variable("DOCKER_HOST", address),
            None => program,
        }
    }

    fn answers(&self) -> bool {
        self.docker().arguments(["version", "--format", "{{.Server.Version}}"]).capture().is_ok()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            println!("stopping the Docker engine");
            shell::end(process, "TERM", STOP);
        }
    }
}

fn at(socket: &Path) -> Engine {
    Engine { address: Some(address(socket)), process: None }
}

fn address(socket: &Path) -> String {
    format!("unix://{}", socket.display())
}

fn daemon() -> Outcome<PathBuf> {
    if shell::find("dockerd").is_none() || shell::find("docker").is_none() {
        shell::install(&["docker.io", "iptables", "ca-certificates"])?;
    }
    shell::find("dockerd").ok_or_else(|| Failure::new("the package docker.io has no dockerd"))
}

fn describe(way: &[&str]) -> String {
    if way.is_empty() { String::new() } else { format!("with {} ", way.join(" ")) }
}
