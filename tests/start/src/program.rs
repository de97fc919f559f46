//! `parvis serve` on a directory: started, watched and ended.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long a start may take.
const LIMIT: Duration = Duration::from_secs(60);
/// How often it is asked whether it answers.
const STEP: Duration = Duration::from_micros(500);

/// One start and the rest after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// From the start of the process to its first answer.
    pub(crate) answered: Duration,
    /// Resident memory at rest, in bytes.
    pub(crate) resident: u64,
    /// What of it is not the content of files, in bytes.
    pub(crate) anonymous: u64,
}

/// A process that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

impl Run {
    /// Starts the program on what lies in `directory`, and lets it rest.
    pub(crate) fn of(program: &Path, directory: &Path, rest: Duration) -> Self {
        let port = free_port();
        let log = std::fs::File::create(directory.join("log")).unwrap();
        let start = Instant::now();
        let child = Command::new(program)
            .args(["serve", "--config", "parvis.toml"])
            .env("PARVIS_LISTENERS__CLIENT", format!("127.0.0.1:{port}"))
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let running = Running(child);
        while !answers(port) {
            let log = || std::fs::read_to_string(directory.join("log")).unwrap_or_default();
            assert!(start.elapsed() < LIMIT, "the program does not answer:\n{}", log());
            std::thread::sleep(STEP);
        }
        let answered = start.elapsed();
        std::thread::sleep(rest);
        let status = std::fs::read_to_string(format!("/proc/{}/status", running.0.id())).unwrap();
        Self { answered, resident: bytes_in(&status, "VmRSS:"), anonymous: bytes_in(&status, "RssAnon:") }
    }
}

fn bytes_in(status: &str, field: &str) -> u64 {
    let value = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    value.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(LIMIT))?;
        let request = "GET /_matrix/client/versions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes())?;
        let mut begin = [0; 12];
        stream.read_exact(&mut begin)?;
        Ok(begin.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

/// A configuration as an operator writes it, open to all.
pub(crate) fn write_configuration(directory: &Path) {
    let path = |name: &str| directory.join(name).display().to_string();
    let text = format!(
        "[server]\nname = \"parvis.test\"\nhost_names = [\"*\"]\npublic_base_url = \"http://parvis.test\"\n\
         [listeners]\nclient = \"127.0.0.1:0\"\n\
         [registration]\nmode = \"open\"\nanyone_may_register_without_token = true\n\
         [rate_limits]\nregistration = {{ per_second = 0.0, burst = 1 }}\n\
         joins = {{ per_second = 0.0, burst = 1 }}\n\
         [logging]\nlevel = \"warn\"\n\
         [media]\ndirectory = {:?}\n\
         [storage]\nsqlite = {{ path = {:?} }}\n",
        path("media"),
        path("parvis.db"),
    );
    std::fs::write(directory.join("parvis.toml"), text).unwrap();
}
