//! A homeserver with people and rooms, on a database that is prepared once and opened again for the count.

use std::{path::Path, sync::Arc};

use parvis_ambient::{Ambient, SeededChance, TestClock};
use parvis_peers::NoNetwork;
use parvis_server::{
    Homeserver,
    config::{Sources, load},
};
use parvis_testkit::{Client, User, client_within};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

/// When the homeserver is made, in milliseconds since the Unix epoch; it is opened again some minutes later.
const START_MS: i64 = 1_700_000_000_000;
const AGAIN_MS: i64 = START_MS + 15 * 60_000;
/// How many rooms the busy one of two people is in.
const MANY_ROOMS: usize = 300;
/// How many the other one is in.
const FEW_ROOMS: usize = 10;
/// How many people wait for news in one room.
const LISTENERS: usize = 20;
/// How many are not in it yet.
const NEWCOMERS: usize = 7;
/// How many messages the room with a past has.
const MESSAGES: usize = 250;

/// What was prepared, by names.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cast {
    /// The token of somebody who is in ten rooms.
    pub(crate) few: String,
    /// The token of somebody who is in three hundred.
    pub(crate) many: String,
    /// Tokens of people who are in the crowded room.
    pub(crate) listeners: Vec<String>,
    /// Tokens of people who are in no room.
    pub(crate) newcomers: Vec<String>,
    /// A room in which the first two are.
    pub(crate) quiet: String,
    /// A room of theirs with a past.
    pub(crate) past: String,
    /// A room in which the second one and the listeners are.
    pub(crate) crowded: String,
}

/// The homeserver, started.
pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) cast: Cast,
    homeserver: Homeserver,
    client: Client,
}

/// What everything asynchronous happens on.
pub(crate) fn single_thread() -> Runtime {
    Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap()
}

/// Makes the homeserver, and what lies behind it.
pub(crate) fn prepare(directory: &Path) {
    std::fs::write(directory.join("parvis.toml"), configuration(directory)).unwrap();
    single_thread().block_on(async {
        let homeserver = start(directory, START_MS, 1).await;
        let cast = populate(&client_within(&homeserver)).await;
        homeserver.close().await;
        std::fs::write(directory.join("cast.json"), serde_json::to_string(&cast).unwrap()).unwrap();
    });
}

fn configuration(directory: &Path) -> String {
    let path = |name: &str| directory.join(name).display().to_string();
    let unlimited = "{ per_second = 0.0, burst = 1 }";
    let limits = ["login", "registration", "messages", "joins", "invites"];
    let limits: String = limits.iter().map(|limit| format!("{limit} = {unlimited}\n")).collect();
    format!(
        "[server]\nname = \"parvis.test\"\nhost_names = [\"*\"]\npublic_base_url = \"http://parvis.test\"\n\
         [listeners]\nclient = \"127.0.0.1:0\"\n\
         [federation]\nmode = \"off\"\n\
         [presence]\nmode = \"off\"\n\
         [registration]\nmode = \"open\"\nanyone_may_register_without_token = true\n\
         [media]\ndirectory = {:?}\n\
         [storage]\nsqlite = {{ path = {:?}, readers = 1, synchronous = \"normal\" }}\n\
         [rate_limits]\n{limits}",
        path("media"),
        path("parvis.db"),
    )
}

async fn start(directory: &Path, now: i64, seed: u64) -> Homeserver {
    let sources = Sources { file: Some(directory.join("parvis.toml")), environment: Vec::new() };
    let loaded = load(&sources).unwrap_or_else(|error| panic!("{error}"));
    let config = loaded.config.organisations.into_iter().next().unwrap();
    let clock = Arc::new(TestClock::starting_at(now));
    let ambient = Ambient { clock, chance: Arc::new(SeededChance::new(seed)) };
    Homeserver::start(config, ambient, Arc::new(NoNetwork)).await.unwrap()
}

async fn populate(client: &Client) -> Cast {
    let few = User::register(client.clone(), "few").await;
    let many = User::register(client.clone(), "many").await;
    let mut shared = Vec::new();
    for number in 0..MANY_ROOMS {
        let invite = if number < FEW_ROOMS { vec![few.id.as_str()] } else { Vec::new() };
        let name = format!("Room number {number}");
        let room = json!({ "preset": "private_chat", "name": name, "invite": invite });
        let room = many.create_room(room).await;
        if number < FEW_ROOMS {
            few.join(&room).await;
            shared.push(room);
        }
    }
    for number in 0..MESSAGES {
        many.say(&shared[1], &format!("Message number {number}")).await;
    }
    let crowded = many.create_room(json!({ "preset": "public_chat", "name": "Crowd" })).await;
    let mut listeners = Vec::new();
    let mut newcomers = Vec::new();
    for number in 0..LISTENERS + NEWCOMERS {
        let user = User::register(client.clone(), &format!("listener-{number}")).await;
        let token = user.token().unwrap().to_owned();
        if number < LISTENERS {
            user.join(&crowded).await;
            listeners.push(token);
        } else {
            newcomers.push(token);
        }
    }
    let token = |user: &User| user.token().unwrap().to_owned();
    let (quiet, past) = (shared[0].clone(), shared[1].clone());
    Cast { few: token(&few), many: token(&many), listeners, newcomers, quiet, past, crowded }
}

impl World {
    /// Whether the search has looked at all that was there at the start.
    pub(crate) fn is_searched(&self) -> bool {
        let status = self.homeserver.search_status();
        status.filled >= 1.0 && status.unread_changes == 0
    }

    /// Starts the homeserver that was prepared.
    pub(crate) fn open(directory: &Path) -> Self {
        let runtime = single_thread();
        let cast = std::fs::read_to_string(directory.join("cast.json")).unwrap();
        let homeserver = runtime.block_on(start(directory, AGAIN_MS, 2));
        let client = client_within(&homeserver);
        Self { runtime, cast: serde_json::from_str(&cast).unwrap(), homeserver, client }
    }

    /// Somebody with this token.
    pub(crate) fn client(&self, token: &str) -> Client {
        self.client.clone().with_token(Some(token))
    }

    /// Stops the homeserver.
    pub(crate) fn close(self) {
        drop(self.client);
        self.runtime.block_on(self.homeserver.close());
    }
}
