//! The real program, in a process of its own.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use crate::{Client, Engine, User, setup::Setup};

/// How long a start may take, in steps of [`STEP`].
const STEPS: u32 = 600;
const STEP: Duration = Duration::from_millis(50);

/// `parvis serve`, on a database of its own.
#[derive(Debug)]
pub struct Program {
    setup: Setup,
    child: Option<Child>,
}

impl Program {
    /// Starts it with these settings, in TOML, and waits until it answers.
    pub async fn start(engine: &Engine, settings: &str) -> Self {
        let mut program = Self { setup: Setup::new(engine, settings).await, child: None };
        program.run().await;
        program
    }

    /// Starts it again, on the same data and under the same address.
    pub async fn run(&mut self) {
        let log = File::options().create(true).append(true).open(self.setup.path("log")).unwrap();
        let child = Command::new(executable())
            .arg("serve")
            .arg("--config")
            .arg(&self.setup.file)
            .current_dir(self.setup.path(""))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        for _ in 0..STEPS {
            if self.stranger().try_get("versions").await.is_ok() {
                return;
            }
            let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none(), "the program has ended: {ended:?}\n{}", self.log());
            tokio::time::sleep(STEP).await;
        }
        panic!("the program does not answer\n{}", self.log());
    }

    /// Ends it as a power failure would: with SIGKILL, at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Runs one of its other commands on the same data, which must succeed.
    pub fn command(&self, arguments: &[&str]) {
        let mut command = Command::new(executable());
        command.args(arguments).arg("--config").arg(&self.setup.file).current_dir(self.setup.path(""));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Copies the files of a SQLite database away. While the program does not run.
    pub fn back_up(&self) {
        let backup = self.setup.path("backup");
        std::fs::create_dir_all(&backup).unwrap();
        for file in self.database_files() {
            std::fs::copy(&file, backup.join(file.file_name().unwrap())).unwrap();
        }
    }

    /// Puts the files of a SQLite database back as they were copied. While the program does not run.
    pub fn restore(&self) {
        for file in self.database_files() {
            std::fs::remove_file(file).unwrap();
        }
        for file in std::fs::read_dir(self.setup.path("backup")).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), self.setup.path("").join(file.file_name())).unwrap();
        }
    }

    fn database_files(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.setup.path("")).unwrap().map(|file| file.unwrap().path());
        let is_database = |file: &PathBuf| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            [".db", ".db-wal", ".db-shm"].iter().any(|end| name.ends_with(end))
        };
        files.filter(is_database).collect()
    }

    /// What it has written so far, in all its runs.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.setup.path("log")).unwrap_or_default()
    }

    /// Somebody who has not logged in.
    pub fn stranger(&self) -> Client {
        Client::new(&self.setup.base_url)
    }

    /// Registers somebody.
    pub async fn user(&self, localpart: &str) -> User {
        User::register(self.stranger(), localpart).await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The program, built from the sources as they are, with the profile of the test.
#[expect(clippy::disallowed_methods, reason = "cargo tells tests who it is in the environment")]
fn executable() -> &'static PathBuf {
    static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();
    EXECUTABLE.get_or_init(|| {
        // …/<profile>/deps/<test>
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
        // Asked for at run time: what another clone compiled into the same target directory knows that clone's paths.
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--quiet", "--package", "parvis-server", "--bin", "parvis"]);
        build.env("CARGO_TARGET_DIR", profile.parent().unwrap());
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the program cannot be built");
        profile.join("parvis")
    })
}
