//! The scenarios. Each prepares its rooms, warms up, and measures one or more shapes; none depends on what
//! another has left behind, only users are shared.

mod create_room;
mod empty_poll;
mod fanout;
mod initial_sync;
mod join;
mod pagination;
mod remote_join;
mod send;
mod sliding_sync;
mod versions;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use crate::{
    accounts::Accounts,
    connection::{Failure, Server},
    load::{self, Bound, Worker},
    matrix::{self, Account, Client},
    measure::{Meter, Name, Outcome},
    options::{Scenario, Sizes},
    process::Watch,
};

/// Calls at the same time while rooms and clients are being prepared.
const SETUP_AT_ONCE: usize = 4;
/// Text of ordinary messages: about what people write.
const TEXT: &str = "This is a message of the length that people write in a working day, give or take.";
/// Operations of each worker before measuring begins.
const WARM_UP: usize = 3;

/// What runs when nothing is named: everything that needs no second server.
const ALL: [Scenario; 9] = [
    Scenario::Versions,
    Scenario::Send,
    Scenario::CreateRoom,
    Scenario::Join,
    Scenario::Pagination,
    Scenario::InitialSync,
    Scenario::EmptyPoll,
    Scenario::SlidingSync,
    Scenario::Fanout,
];

/// What every scenario stands on.
pub(crate) struct Ground {
    server: Arc<Server>,
    accounts: Accounts,
    watch: Watch,
    sizes: Sizes,
    run: String,
    rooms_made: usize,
    with_rooms: BTreeMap<usize, Inhabitant>,
}

/// An account in many rooms, and one of those.
#[derive(Clone)]
struct Inhabitant {
    account: Arc<Account>,
    room_id: String,
}

/// Runs the scenarios one after the other; all of them when none is named. What could not be prepared is told
/// by the scenario's name, and the others go on.
pub(crate) async fn run(ground: &mut Ground, only: &[Scenario]) -> (Vec<Outcome>, BTreeMap<String, String>) {
    let mut outcomes = Vec::new();
    let mut not_measured = BTreeMap::new();
    for scenario in if only.is_empty() { &ALL } else { only } {
        let name = scenario.name();
        eprintln!("parvis-bench: {name}");
        match measure(ground, *scenario).await {
            Ok(measured) => outcomes.extend(measured),
            Err(failure) => {
                eprintln!("parvis-bench: {name}: {failure}");
                not_measured.insert(name, failure.to_string());
            }
        }
    }
    (outcomes, not_measured)
}

async fn measure(ground: &mut Ground, scenario: Scenario) -> Result<Vec<Outcome>, Failure> {
    match scenario {
        Scenario::Versions => versions::measure(ground).await,
        Scenario::Send => send::measure(ground).await,
        Scenario::CreateRoom => create_room::measure(ground).await,
        Scenario::Join => join::measure(ground).await,
        Scenario::Pagination => pagination::measure(ground).await,
        Scenario::InitialSync => initial_sync::measure(ground).await,
        Scenario::EmptyPoll => empty_poll::measure(ground).await,
        Scenario::SlidingSync => sliding_sync::measure(ground).await,
        Scenario::Fanout => fanout::measure(ground).await,
        Scenario::RemoteJoin => remote_join::measure(ground).await,
    }
}

impl Ground {
    /// Everything ready, nothing done.
    pub(crate) fn new(
        server: Arc<Server>,
        accounts: Accounts,
        watch: Watch,
        sizes: Sizes,
        run: String,
    ) -> Self {
        Self { server, accounts, watch, sizes, run, rooms_made: 0, with_rooms: BTreeMap::new() }
    }

    fn client(&self, account: &Arc<Account>) -> Client {
        Client::new(&self.server, account)
    }

    /// A bound of this many operations and the time of one shape.
    fn bound(&self, operations: usize) -> Bound {
        Bound { operations, time: self.sizes.time }
    }

    /// Warms the workers up, then measures them in a closed loop.
    async fn closed_loop<W: Worker>(&self, name: Name, workers: Vec<W>, bound: Bound) -> Outcome {
        let warm_up = Bound { operations: WARM_UP * workers.len(), time: bound.time };
        let warm = load::closed_loop(workers, warm_up).await;
        self.closed_loop_cold(name, warm.workers, bound).await
    }

    /// Measures from the first operation on, for what can be done only once.
    async fn closed_loop_cold<W: Worker>(&self, name: Name, workers: Vec<W>, bound: Bound) -> Outcome {
        let meter = Meter::start(&self.watch).await;
        let alone = workers.len() == 1;
        let loaded = load::closed_loop(workers, bound).await;
        let tenths = loaded.samples.tenths_p50_ms().filter(|_| alone);
        let mut outcome = meter.finish(name, loaded.samples, loaded.active).await;
        if let Some((first, last)) = tenths {
            outcome.facts.insert("first_tenth_p50_ms".to_owned(), first);
            outcome.facts.insert("last_tenth_p50_ms".to_owned(), last);
        }
        outcome
    }

    /// A room that anybody may join, with its creator in it.
    async fn public_room(&mut self, creator: &Arc<Account>) -> Result<String, Failure> {
        let body = self.next_room();
        self.client(creator).create_room(&body).await
    }

    /// What to ask for such a room, with a name of its own.
    fn next_room(&mut self) -> Bytes {
        self.rooms_made += 1;
        let name = format!("Room {} of {}", self.rooms_made, self.run);
        matrix::serialised(&json!({ "preset": "public_chat", "name": name }))
    }

    /// A public room of the first user of `members`, joined by the others.
    async fn room_of(&mut self, members: &[Arc<Account>]) -> Result<String, Failure> {
        let Some((creator, others)) = members.split_first() else {
            return Err(Failure::Unexpected("a room needs a member".to_owned()));
        };
        let room_id = self.public_room(creator).await?;
        self.join_all(&room_id, others).await?;
        Ok(room_id)
    }

    async fn join_all(&self, room_id: &str, users: &[Arc<Account>]) -> Result<(), Failure> {
        let join = async |user: &Arc<Account>| self.client(user).join(room_id).await;
        stream::iter(users).map(join).buffer_unordered(SETUP_AT_ONCE).try_collect().await
    }

    /// An account of its own in this many rooms, each with a second member and some messages. Made once.
    async fn account_with_rooms(&mut self, rooms: usize) -> Result<Arc<Account>, Failure> {
        Ok(self.inhabitant(rooms).await?.account)
    }

    /// The same, with the room that was made first.
    async fn inhabitant(&mut self, rooms: usize) -> Result<Inhabitant, Failure> {
        if let Some(inhabitant) = self.with_rooms.get(&rooms) {
            return Ok(inhabitant.clone());
        }
        let account = self.accounts.apart().await?;
        let others = self.accounts.crowd(1).await?;
        let bodies: Vec<_> = (0..rooms).map(|_| self.next_room()).collect();
        let furnish = async |body: &Bytes| {
            let room_id = self.client(&account).create_room(body).await?;
            self.join_all(&room_id, &others).await?;
            self.fill(&account, &room_id, 5).await?;
            Ok::<_, Failure>(room_id)
        };
        let made: Vec<_> = stream::iter(&bodies).map(furnish).buffered(SETUP_AT_ONCE).try_collect().await?;
        let first = made.into_iter().next();
        let room_id = first.ok_or_else(|| Failure::Unexpected("an account without rooms".to_owned()))?;
        let inhabitant = Inhabitant { account, room_id };
        self.with_rooms.insert(rooms, inhabitant.clone());
        Ok(inhabitant)
    }

    /// Sends this many messages into the room.
    async fn fill(&self, sender: &Arc<Account>, room_id: &str, messages: usize) -> Result<(), Failure> {
        let workers = (0..SETUP_AT_ONCE.min(messages))
            .map(|n| send::Sender::new(self.client(sender), room_id, format!("fill{n}")))
            .collect();
        let bound = Bound { operations: messages, time: std::time::Duration::from_secs(600) };
        let loaded = load::closed_loop(workers, bound).await;
        if loaded.samples.operations() < messages {
            let sent = loaded.samples.operations();
            return Err(Failure::Unexpected(format!(
                "of {messages} messages to prepare only {sent} were sent"
            )));
        }
        Ok(())
    }
}
