//! One simulated homeserver: a runtime of its own, which only runs while the world lets it, and a database file
//! that outlives crashes.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
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
/// How long is waited in real time, and how often at most, for what a server does when it starts and what is not
/// the database's work, such as opening it.
const GLANCE: Duration = Duration::from_micros(200);
const MOST_GLANCES: usize = 300_000;

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
    machine: Machine,
    homeserver: Option<Homeserver>,
    pub(crate) door: Door,
    pub(crate) gate: Arc<Gate>,
}

/// What a homeserver runs on: an asynchronous runtime, and one thread for work that blocks. That thread works only
/// while nothing else does, so that what it has done is noticed in the same order in each run.
struct Machine {
    runtime: Option<Runtime>,
    gate: Arc<Gate>,
    /// Dropped, lets the thread go on.
    holds: Mutex<Option<mpsc::Sender<()>>>,
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
        let gate = Arc::new(Gate::starting());
        let machine = Machine { runtime: Some(runtime), gate: Arc::clone(&gate), holds: Mutex::default() };
        let pace = Arc::new(WorldPace { core: Arc::clone(core), server, gate: Arc::clone(&gate) });
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let wire = Arc::new(WorldWire { core: Arc::clone(core), server, clock: Arc::clone(&clock) });
        let ambient = Ambient { clock, chance: Arc::clone(&self.chance) };
        let starting = Homeserver::start_with_pace(self.config.clone(), ambient, wire, Some(pace));
        let homeserver = machine.finish(starting).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        gate.end_start();
        let door = door_to(homeserver.router());
        self.running = Some(Running { machine, homeserver: Some(homeserver), door, gate });
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
        if let Some(runtime) = &self.machine.runtime {
            runtime.spawn(work);
        }
    }

    /// Lets everything go on that can, until all waits for the world.
    pub(crate) fn run(&self) {
        self.machine.run();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.homeserver.take());
    }
}

impl Machine {
    /// Finishes what starts a server, and what begins with it, before the world goes on, so that no time passes by
    /// it.
    fn finish<T: Send + 'static>(&self, start: impl Future<Output = T> + Send + 'static) -> T {
        let Some(runtime) = &self.runtime else { unreachable!("a machine that has not crashed") };
        let starting = runtime.spawn(start);
        for _ in 0..MOST_GLANCES {
            self.run();
            if self.gate.grant_next() {
                continue;
            }
            if starting.is_finished() {
                return runtime.block_on(starting).unwrap();
            }
            std::thread::sleep(GLANCE);
        }
        panic!("a homeserver does not start");
    }

    /// Lets everything go on that can, until all waits for the world.
    fn run(&self) {
        let Some(runtime) = &self.runtime else { return };
        let mut quiet = 0;
        while quiet < QUIET {
            let has_worked = runtime.block_on(async {
                for _ in 0..TURNS {
                    tokio::task::yield_now().await;
                }
                let has_worked = self.gate.is_working();
                self.gate.rest().await;
                has_worked
            });
            if has_worked {
                quiet = 0;
            } else {
                self.let_block(runtime);
                quiet += 1;
            }
        }
    }

    /// Lets the thread for work that blocks do all that was asked of it so far, while nothing else happens.
    fn let_block(&self, runtime: &Runtime) {
        let (holds, held) = mpsc::channel::<()>();
        let (arriving, arrived) = mpsc::channel();
        runtime.spawn_blocking(move || {
            let _ = arriving.send(());
            let _ = held.recv();
        });
        let before = self.holds.lock().unwrap_or_else(PoisonError::into_inner).replace(holds);
        drop(before);
        let _ = arrived.recv();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.holds.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
