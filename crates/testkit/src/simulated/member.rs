//! One simulated homeserver: a runtime of its own, which only runs while the world lets it, and a database file
//! that outlives crashes.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use parvis_ambient::{Ambient, Chance, Clock, SeededChance};
use parvis_server::{Homeserver, config::OrganisationConfig};
use tokio::runtime::{Builder, Runtime};

use super::{
    ambient::{Gate, WorldClock, WorldPace},
    core::{Core, ServerIndex},
    template::{Person, Template},
    wire::WorldWire,
};
use crate::wires::{Door, door_to};

/// How often everything that can go on does so before a server is taken to stand still. Whatever is woken by what
/// goes on goes on in the same turn, as a rule; what waits for a turn of its own does so once or twice.
const TURNS: usize = 6;
/// How often nothing has to go on, after work on the thread for what blocks, too.
const QUIET: usize = 2;

/// A simulated homeserver.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) people: Vec<Person>,
    config: OrganisationConfig,
    clock: Arc<WorldClock>,
    chance: Arc<dyn Chance>,
    /// The database file, and what it held before anything happened.
    file: PathBuf,
    empty: Arc<Template>,
    pub(crate) running: Option<Running>,
}

/// A homeserver that runs.
pub(crate) struct Running {
    runtime: Option<Runtime>,
    homeserver: Option<Homeserver>,
    pub(crate) door: Door,
    pub(crate) gate: Arc<Gate>,
}

impl Member {
    /// A homeserver with an empty history in this directory.
    pub(crate) fn new(core: &Arc<Core>, server: ServerIndex, name: &str, directory: &Path) -> Self {
        let template = Template::of(name);
        std::fs::create_dir_all(directory).unwrap();
        let config = template.place(directory);
        let fate = core.state().fate;
        // Clocks differ by some seconds, as they do.
        let wrong_by_ms = i64::try_from(fate.below(4_000, "clock", &[server as u64])).unwrap() - 2_000;
        let clock = Arc::new(WorldClock { core: Arc::clone(core), server, wrong_by_ms });
        let chance = Arc::new(SeededChance::new(fate.number("chance", &[server as u64])));
        Self {
            name: name.to_owned(),
            people: template.people.clone(),
            config,
            clock,
            chance,
            file: directory.join("parvis.db"),
            empty: template,
            running: None,
        }
    }

    /// Starts it on the data that it has.
    pub(crate) fn start(&mut self, core: &Arc<Core>) {
        let server = self.clock.server;
        let runtime = Builder::new_current_thread().enable_time().max_blocking_threads(1).build().unwrap();
        let gate = Arc::new(Gate::default());
        gate.open.store(true, Ordering::Release);
        let pace = Arc::new(WorldPace { core: Arc::clone(core), server, gate: Arc::clone(&gate) });
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let wire = Arc::new(WorldWire { core: Arc::clone(core), server, clock: Arc::clone(&clock) });
        let ambient = Ambient { clock, chance: Arc::clone(&self.chance) };
        let starting = Homeserver::start_with_pace(self.config.clone(), ambient, wire, Some(pace));
        let homeserver = runtime.block_on(starting).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let door = door_to(homeserver.router());
        let running = Running { runtime: Some(runtime), homeserver: Some(homeserver), door, gate };
        // What begins with the server is done before the world goes on, so that no time passes by it.
        running.run();
        running.gate.open.store(false, Ordering::Release);
        self.running = Some(running);
    }

    /// Ends it as a power failure would. What was committed stays.
    pub(crate) fn crash(&mut self) {
        self.running = None;
    }

    /// Puts the database back to what it was before anything happened.
    pub(crate) fn forget(&self) {
        for ending in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(self.file.with_extension(format!("db{ending}")));
        }
        self.empty.restore(&self.file);
    }
}

impl Running {
    /// Begins something on this server. It goes on while the world lets it.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(work);
        }
    }

    /// Lets everything go on that can, until all waits for the world.
    pub(crate) fn run(&self) {
        let Some(runtime) = &self.runtime else { return };
        runtime.block_on(async {
            let mut quiet = 0;
            while quiet < QUIET {
                for _ in 0..TURNS {
                    tokio::task::yield_now().await;
                }
                if self.gate.is_working() {
                    self.gate.rest().await;
                    quiet = 0;
                } else {
                    // There is one thread for work that blocks: when this has been done, all that was asked of it
                    // before has been done.
                    let _ = tokio::task::spawn_blocking(|| ()).await;
                    quiet += 1;
                }
            }
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.homeserver.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
