//! A simulated world: homeservers, and servers that the test plays, on one thread, in virtual time. Entry by entry
//! of its queue, something is let happen, and then everything goes on until all waits again.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::Method;
use parvis_server::RoomsStatus;
use parvis_storage::{DatabaseSettings, StorageError, Store, StoreSettings};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    core::{Core, Entry, Moment, Outcome, Reply, ServerIndex, State},
    fate::Fate,
    member::Member,
    sizes::Sizes,
    template::Person,
    weather::{Counts, Weather},
    wire,
};
use crate::{client::NoAnswer, wires::Door};

/// A world in which more happens does not come to rest.
const MOST_STEPS: u64 = 100_000;
/// How much of what happened last is told of a world that does not come to rest.
const LAST_WORDS: usize = 60;

/// A server that the test plays.
pub trait Foreign: Send {
    /// What it answers at this time (in milliseconds since the Unix epoch), or nothing at all.
    fn answer(&mut self, request: &http::Request<Bytes>, now_ms: i64) -> Option<http::Response<Bytes>>;
}

/// A simulated world.
pub struct World {
    core: Arc<Core>,
    members: Vec<Member>,
    foreign: BTreeMap<ServerIndex, Box<dyn Foreign>>,
    directory: TempDir,
    planted: Option<Planted>,
}

/// A fault put there on purpose: a simulation that does not find it is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// This homeserver says yes to every transaction of another, and takes nothing in.
    Deaf(ServerIndex),
    /// This homeserver forgets, when it crashes, what it had committed since it started.
    Forgetful(ServerIndex),
}

/// What happened last.
fn last_words(state: &State) -> String {
    let begin = state.trace.len().saturating_sub(LAST_WORDS);
    state.trace.get(begin..).unwrap_or_default().join("\n")
}

/// What came of a request.
type Came = Result<http::Response<Bytes>, NoAnswer>;

/// A client's request that is on its way.
#[derive(Clone, Debug)]
pub struct Ticket(Arc<Mutex<Option<Came>>>);

/// A client's answer: the status, and the body.
pub type Answered = (u16, Value);

impl Ticket {
    /// The answer, or that there will be none, or nothing as long as that is not known.
    pub fn answer(&self) -> Option<Result<Answered, NoAnswer>> {
        let cell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cell {
            Some(Ok(response)) => {
                let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
                Some(Ok((response.status().as_u16(), body)))
            }
            Some(Err(error)) => Some(Err(error.clone())),
            // Whoever would have answered is gone.
            None if Arc::strong_count(&self.0) == 1 => Some(Err(NoAnswer("the server crashed".to_owned()))),
            None => None,
        }
    }
}

impl World {
    /// Homeservers of these names, and names of servers that the test plays.
    pub fn new(fate: Fate, weather: Weather, names: &[&str], foreign: &[&str]) -> Self {
        let all = names.iter().chain(foreign).map(|name| (*name).to_owned()).collect();
        let core = Core::new(fate, weather, all);
        let memory = std::path::Path::new("/dev/shm");
        let mut builder = tempfile::Builder::new();
        builder.prefix("parvis-world-");
        let in_memory = if memory.is_dir() { builder.tempdir_in(memory).ok() } else { None };
        let directory = in_memory.unwrap_or_else(|| builder.tempdir().unwrap());
        let mut members = Vec::new();
        for (server, name) in names.iter().enumerate() {
            let mut member = Member::new(&core, server, name, &directory.path().join(name));
            member.start(&core);
            members.push(member);
        }
        Self { core, members, foreign: BTreeMap::new(), directory, planted: None }
    }

    /// Says who plays a server that is no homeserver.
    pub fn play(&mut self, name: &str, player: Box<dyn Foreign>) {
        let index = self.core.state().index(name).unwrap();
        self.foreign.insert(index, player);
    }

    /// Puts a fault there on purpose.
    pub fn plant(&mut self, fault: Planted) {
        self.planted = Some(fault);
    }

    /// The virtual time.
    pub fn now(&self) -> Moment {
        self.core.state().now
    }

    /// The true time, in milliseconds since the Unix epoch. Homeservers' clocks differ from it by seconds.
    pub fn now_ms(&self) -> i64 {
        super::ambient::START_MS + i64::try_from(self.now() / 1000).unwrap_or(0)
    }

    /// What a homeserver holds at the moment, if it runs.
    pub fn sizes(&self, server: ServerIndex) -> Option<Sizes> {
        self.members[server].sizes()
    }

    /// What a homeserver's rooms have been through, one for each time that it has started.
    pub fn histories(&self, server: ServerIndex) -> Vec<RoomsStatus> {
        self.members[server].histories()
    }

    /// The directory of the homeservers' databases.
    pub fn databases(&self) -> Files {
        let names = self.members.iter().map(|member| member.name.clone()).collect();
        Files { directory: self.directory.path().to_owned(), names }
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.core.state().counts
    }

    /// What happened, line by line.
    pub fn trace(&self) -> Vec<String> {
        self.core.state().trace.clone()
    }

    /// Writes the turns of databases down too, from now on.
    pub fn note_turns(&self) {
        self.core.state().turns_are_noted = true;
    }

    /// Writes something down in the trace.
    pub fn note(&self, text: &str) {
        self.core.state().note(|| text.to_owned());
    }

    /// Changes the weather.
    pub fn set_weather(&mut self, weather: Weather) {
        self.core.state().weather = weather;
    }

    /// The number of homeservers.
    pub fn homeservers(&self) -> usize {
        self.members.len()
    }

    /// The name of a server.
    pub fn name(&self, server: ServerIndex) -> String {
        self.core.state().names[server].clone()
    }

    /// The people of a homeserver.
    pub fn people(&self, server: ServerIndex) -> &[Person] {
        &self.members[server].people
    }

    /// Whether a homeserver runs.
    pub fn is_running(&self, server: ServerIndex) -> bool {
        self.members[server].running.is_some()
    }

    /// Lets everything happen up to this time.
    pub fn run_until(&mut self, moment: Moment) {
        while self.core.state().next_due().is_some_and(|due| due <= moment) {
            self.step();
        }
        let mut state = self.core.state();
        state.now = state.now.max(moment);
    }

    /// Lets everything happen for so long.
    pub fn run_for(&mut self, duration: Duration) {
        let until = self.now().saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
        self.run_until(until);
    }

    /// Lets the next thing happen. Says whether there was one.
    pub fn step(&mut self) -> bool {
        let entry = {
            let mut state = self.core.state();
            state.counts.steps += 1;
            assert!(
                state.counts.steps < MOST_STEPS,
                "the world does not come to rest:\n{}",
                last_words(&state)
            );
            state.take()
        };
        let Some(entry) = entry else { return false };
        match entry {
            Entry::Wake { server, sleeper } => {
                let mut state = self.core.state();
                if state.turns_are_noted && !sleeper.is_closed() {
                    state.note(|| format!("{server} wakes"));
                }
                drop(state);
                if sleeper.send(()).is_ok() {
                    self.go_on(server);
                }
            }
            Entry::Turn { server, work, worker } => self.turn(server, work, worker),
            Entry::Request { from, to, request, number, reply } => {
                self.arrive(from, &to, request, number, reply);
            }
            Entry::Answer { server, of, outcome, reply } => self.answer(server, of, outcome, reply),
            Entry::Restart { server } => {
                if self.members[server].running.is_none() {
                    self.core.state().note(|| format!("{server} starts again"));
                    self.members[server].start(&self.core);
                    self.go_on(server);
                }
            }
            Entry::Heal { partition } => self.heal(partition),
        }
        true
    }

    fn go_on(&self, server: ServerIndex) {
        if let Some(running) = self.members.get(server).and_then(|member| member.running.as_ref()) {
            running.run();
        }
    }

    fn turn(
        &mut self,
        server: ServerIndex,
        work: parvis_storage::Work,
        worker: tokio::sync::oneshot::Sender<parvis_storage::Turn>,
    ) {
        if worker.is_closed() {
            return;
        }
        if is_last_turn(&mut self.core.state(), server, work) {
            self.crash(server);
            return;
        }
        let Some(running) = &self.members[server].running else { return };
        if worker.send(running.gate.turn()).is_ok() {
            running.run();
        }
    }

    /// Ends a homeserver as a power failure would; it comes back after a while.
    pub fn crash(&mut self, server: ServerIndex) {
        if self.members[server].running.is_none() {
            return;
        }
        self.members[server].crash();
        if self.planted == Some(Planted::Forgetful(server)) {
            self.members[server].forget();
        }
        let mut state = self.core.state();
        state.counts.crashes += 1;
        let about = [server as u64, state.counts.crashes];
        let longest = u64::try_from(state.weather.longest_absence.as_millis()).unwrap_or(0);
        let absence = 100 + state.fate.below(longest.max(1), "absence", &about);
        state.note(|| format!("{server} crashes for {absence} ms"));
        state.after(Duration::from_millis(absence), Entry::Restart { server });
    }

    /// Parts the servers into two groups, which do not reach each other for so long.
    pub fn part(&mut self, group: &[ServerIndex], duration: Duration) {
        let mut state = self.core.state();
        state.counts.partitions += 1;
        let partition = state.counts.partitions;
        let all = 0..state.names.len();
        for one in all.clone() {
            for other in one + 1..all.end {
                if group.contains(&one) != group.contains(&other) {
                    state.cut.insert((one, other, partition));
                }
            }
        }
        state.note(|| format!("{group:?} are cut off for {} ms", duration.as_millis()));
        state.after(duration, Entry::Heal { partition });
    }

    fn heal(&mut self, partition: u64) {
        let mut state = self.core.state();
        state.cut.retain(|(_, _, because)| *because != partition);
        state.note(|| format!("partition {partition} is over"));
    }

    /// Ends the world in an orderly way, so that its databases can be looked at; gives their directory.
    pub fn close(mut self) -> Databases {
        for member in &mut self.members {
            member.crash();
        }
        let files = self.databases();
        let directory = std::mem::replace(&mut self.directory, TempDir::new().unwrap());
        Databases { _directory: directory, files }
    }

    /// Ends every partition.
    pub fn heal_all(&mut self) {
        self.core.state().cut.clear();
    }

    /// Starts every homeserver that is away.
    pub fn start_all(&mut self) {
        for server in 0..self.members.len() {
            if self.members[server].running.is_none() {
                self.members[server].start(&self.core);
                self.go_on(server);
            }
        }
    }

    fn arrive(
        &mut self,
        from: ServerIndex,
        to: &str,
        request: http::Request<Bytes>,
        number: u64,
        reply: Option<Reply>,
    ) {
        let mut state = self.core.state();
        let Some(server) = state.index(to) else {
            if let Some(reply) = reply {
                wire::lose(&mut state, from, to, &[from as u64, u64::MAX, number], reply);
            }
            return;
        };
        let who = [from as u64, server as u64, number];
        let double = if reply.is_some() { "" } else { " (again)" };
        state.note(|| format!("{from} -> {server} {} {}{double}", request.method(), request.uri()));
        let is_cut = state.is_cut(from, server);
        drop(state);
        let now_ms = self.now_ms();
        let back = Back { core: Arc::clone(&self.core), who, from, to: to.to_owned(), reply };
        if is_cut {
            return;
        }
        if let Some(player) = self.foreign.get_mut(&server) {
            if let Some(response) = player.answer(&request, now_ms) {
                back.give(Ok(response));
            }
            return;
        }
        let tells = request.uri().path().starts_with("/_matrix/federation/v1/send/");
        if tells && self.planted == Some(Planted::Deaf(server)) {
            return back.give(Ok(http::Response::new(Bytes::from_static(b"{\"pdus\":{}}"))));
        }
        if let Some(running) = self.members.get(server).and_then(|member| member.running.as_ref()) {
            let door = Door::clone(&running.door);
            running.spawn(async move {
                if let Ok(response) = door(request).await {
                    back.give(Ok(response));
                }
            });
            running.run();
        }
    }

    fn answer(&mut self, server: ServerIndex, of: ServerIndex, outcome: Outcome, reply: Reply) {
        let mut state = self.core.state();
        if state.is_cut(server, of) {
            state.lost.push(reply);
            return;
        }
        let about = match &outcome {
            Ok(response) => response.status().as_u16().to_string(),
            Err(error) => error.to_string(),
        };
        state.note(|| format!("{server} <- {of} {about}"));
        drop(state);
        if reply.send(outcome).is_ok() {
            self.go_on(server);
        }
    }

    /// Begins a client's request.
    pub fn begin(
        &mut self,
        server: ServerIndex,
        token: Option<&str>,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Ticket {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/_matrix/client/{path}") };
        let mut request = http::Request::builder().method(method).uri(&path).header("host", "localhost");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.header("content-type", "application/json").body(body).unwrap();
        let ticket = Ticket(Arc::default());
        if let Some(running) = &self.members[server].running {
            let (cell, door) = (Arc::clone(&ticket.0), Door::clone(&running.door));
            running.spawn(async move {
                let answer = door(request).await;
                *cell.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            });
            running.run();
        }
        ticket
    }

    /// Makes a client's request, and lets everything happen until it is answered, or for this long.
    pub fn ask(
        &mut self,
        server: ServerIndex,
        token: Option<&str>,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answered, NoAnswer> {
        const LONGEST: Duration = Duration::from_secs(600);
        let ticket = self.begin(server, token, method, path, body);
        let end = self.now() + u64::try_from(LONGEST.as_micros()).unwrap_or(u64::MAX);
        loop {
            if let Some(answer) = ticket.answer() {
                return answer;
            }
            if self.now() > end || !self.step() {
                return Err(NoAnswer(format!("{path} is not answered")));
            }
        }
    }

    /// Sends a request in the name of a server that the test plays. The answer comes later.
    pub fn send_from(&mut self, from: &str, to: &str, request: http::Request<Bytes>) -> Expected {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let mut state = self.core.state();
        let from = state.index(from).unwrap();
        wire::send(&mut state, from, to, request, reply);
        Expected(answer)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for member in &mut self.members {
            member.crash();
        }
    }
}

/// What a world leaves behind.
#[derive(Debug)]
pub struct Databases {
    _directory: TempDir,
    files: Files,
}

impl Databases {
    /// The database of a homeserver.
    pub async fn open(&self, server: ServerIndex) -> Store {
        self.files.open(server).await
    }
}

/// The databases of a world, which goes on perhaps.
#[derive(Debug)]
pub struct Files {
    directory: PathBuf,
    names: Vec<String>,
}

impl Files {
    /// The database of a homeserver, to be read.
    pub async fn open(&self, server: ServerIndex) -> Store {
        self.try_open(server).await.unwrap()
    }

    /// The database of a homeserver that goes on, to be read; not while it is in the middle of a write.
    ///
    /// # Errors
    /// If it is, or the database cannot be opened.
    pub async fn try_open(&self, server: ServerIndex) -> Result<Store, StorageError> {
        let path = self.directory.join(&self.names[server]).join("parvis.db");
        let database = DatabaseSettings::Sqlite { path, readers: 1, relaxed_durability: true };
        Store::open(&StoreSettings { database, cache_bytes: 1 << 20 }).await
    }
}

/// An answer to a server that the test plays.
#[derive(Debug)]
pub struct Expected(tokio::sync::oneshot::Receiver<Outcome>);

impl Expected {
    /// The answer, if it is there.
    pub fn answer(&mut self) -> Option<Outcome> {
        self.0.try_recv().ok()
    }
}

/// The way of an answer back.
struct Back {
    core: Arc<Core>,
    who: [u64; 3],
    from: ServerIndex,
    to: String,
    reply: Option<Reply>,
}

impl Back {
    fn give(mut self, outcome: Outcome) {
        if let Some(reply) = self.reply.take() {
            wire::answer(&mut self.core.state(), self.who, (self.from, &self.to), outcome, reply);
        }
    }
}

impl Drop for Back {
    /// There will be no answer: nobody is there, or whoever would have answered has crashed.
    fn drop(&mut self) {
        if let Some(reply) = self.reply.take() {
            wire::lose(&mut self.core.state(), self.from, &self.to, &self.who, reply);
        }
    }
}

/// Whether a server crashes instead of, or just after, a commit.
fn is_last_turn(state: &mut State, server: ServerIndex, work: parvis_storage::Work) -> bool {
    use parvis_storage::Work;
    if !matches!(work, Work::Commit | Work::Committed) || state.counts.crashes >= state.weather.most_crashes {
        return false;
    }
    let nth = state.nth("commit", server as u64);
    state.fate.per_mille(state.weather.crashes, "crash", &[server as u64, nth])
}
