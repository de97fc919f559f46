//! One simulated homeserver: a runtime of its own, which only runs while the world lets it, and a database file
//! that outlives crashes.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use parvis_ambient::{Ambient, Chance, Clock, SeededChance};
use parvis_server::{Homeserver, OutboundStatus, RoomsStatus, config::OrganisationConfig};
use tokio::runtime::{Builder, Runtime};

use super::{
    ambient::{Gate, WorldClock, WorldPace},
    core::{Core, ServerIndex},
    idle::Idle,
    template::{Person, Template},
    wire::WorldWire,
};
use crate::wires::{Door, door_to};

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
    /// What its rooms had been through at each crash.
    pub(crate) before: Vec<RoomsStatus>,
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
    idle: Arc<Idle>,
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
            before: Vec::new(),
        }
    }

    /// Starts it on the data that it has.
    pub(crate) fn start(&mut self, core: &Arc<Core>) {
        let server = self.clock.server;
        let idle = Arc::new(Idle::default());
        let mut builder = Builder::new_current_thread();
        builder.enable_time().max_blocking_threads(1).on_thread_park(idle.before_sleep());
        let runtime = builder.build().unwrap();
        let gate = Arc::new(Gate::starting());
        let machine =
            Machine { runtime: Some(runtime), gate: Arc::clone(&gate), idle, holds: Mutex::default() };
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
        self.before.extend(self.running.as_ref().map(Running::rooms_status));
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

    /// How many asynchronous tasks there are.
    pub(crate) fn tasks(&self) -> usize {
        self.machine.runtime.as_ref().map_or(0, |runtime| runtime.metrics().num_alive_tasks())
    }

    /// What its rooms have been through since it started.
    pub(crate) fn rooms_status(&self) -> RoomsStatus {
        self.homeserver.as_ref().map(Homeserver::rooms_status).unwrap_or_default()
    }

    /// What other servers have not been told.
    pub(crate) fn outbound_status(&self) -> OutboundStatus {
        self.homeserver.as_ref().map(Homeserver::outbound_status).unwrap_or_default()
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
        loop {
            runtime.block_on(self.idle.reached());
            if self.gate.is_working() {
                runtime.block_on(self.gate.rest());
                continue;
            }
            self.let_block(runtime);
            // Whatever another thread has woken stands in the queue.
            if runtime.metrics().global_queue_depth() == 0 {
                return;
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
