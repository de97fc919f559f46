//! Homeservers that federate, in the test's own process and in real time.

use std::{collections::BTreeMap, sync::Arc};

use parvis_ambient::{Ambient, Clock, SystemChance, TestClock};
use parvis_peers::Transport;
use parvis_server::{
    Homeserver,
    config::{Sources, load},
    open_accounts,
};
use parvis_storage::{DatabaseSettings, Store, StoreSettings};

use crate::{
    Client, Engine, Peer, User,
    client::{Answering, NoAnswer},
    setup::Setup,
    wires::{Asked, Wire, Wires, door_to},
};

/// What a test's clock shows at first, in milliseconds since the Unix epoch.
const START_MS: i64 = 1_700_000_000_000;

/// Homeservers that reach each other by their names, each on a database of its own.
///
/// ```no_run
/// # async fn test() {
/// # use parvis_testkit::{Engine, Network};
/// let network = Network::start(&Engine::Sqlite, &["a.test", "b.test"]).await;
/// let alice = network.user("alice", "a.test").await;
/// # }
/// ```
#[derive(Debug)]
pub struct Network {
    wires: Arc<Wires>,
    ambient: Ambient,
    members: BTreeMap<String, Member>,
}

#[derive(Debug)]
struct Member {
    setup: Setup,
    homeserver: Option<Homeserver>,
}

impl Network {
    /// Homeservers with these names, open to all.
    pub async fn start(engine: &Engine, names: &[&str]) -> Self {
        Self::with(engine, names, "").await
    }

    /// Homeservers with these names and settings, in TOML.
    pub async fn with(engine: &Engine, names: &[&str], settings: &str) -> Self {
        Self::with_ambient(engine, names, settings, Ambient::system()).await
    }

    /// Homeservers whose time, which is one for all, passes as the test says.
    pub async fn with_test_clock(engine: &Engine, names: &[&str], settings: &str) -> (Self, Arc<TestClock>) {
        let clock = Arc::new(TestClock::starting_at(START_MS));
        let ambient = Ambient { clock: Arc::clone(&clock) as Arc<dyn Clock>, chance: Arc::new(SystemChance) };
        (Self::with_ambient(engine, names, settings, ambient).await, clock)
    }

    async fn with_ambient(engine: &Engine, names: &[&str], settings: &str, ambient: Ambient) -> Self {
        let mut network = Self { wires: Arc::default(), ambient, members: BTreeMap::new() };
        for name in names {
            let setup = Setup::of_server(name, engine, settings).await;
            network.members.insert((*name).to_owned(), Member { setup, homeserver: None });
            network.run(name).await;
        }
        network
    }

    /// Starts a homeserver, on the data that it has.
    pub async fn run(&mut self, name: &str) {
        let wire = Arc::new(Wire { from: name.to_owned(), wires: Arc::clone(&self.wires) });
        let member = self.members.get_mut(name).unwrap();
        let sources = Sources { file: Some(member.setup.file.clone()), environment: Vec::new() };
        let loaded = load(&sources).unwrap_or_else(|error| panic!("{error}"));
        let config = loaded.config.organisations.into_iter().next().unwrap();
        let homeserver = Homeserver::start(config, self.ambient.clone(), wire).await.unwrap();
        self.wires.open(name, door_to(homeserver.router()));
        member.homeserver = Some(homeserver);
    }

    /// Stops a homeserver in an orderly way. Nobody reaches it until it runs again.
    pub async fn stop(&mut self, name: &str) {
        self.wires.close(name);
        if let Some(homeserver) = self.members.get_mut(name).unwrap().homeserver.take() {
            homeserver.close().await;
        }
    }

    /// Stops a homeserver in an orderly way, and starts it again on the same data.
    pub async fn restart(&mut self, name: &str) {
        self.stop(name).await;
        self.run(name).await;
    }

    /// The store of a homeserver with its embedded database that is stopped.
    pub async fn store(&self, name: &str) -> Store {
        let member = &self.members[name];
        assert!(member.homeserver.is_none(), "the store of a homeserver that runs is its own");
        let path = member.setup.path("parvis.db");
        let database = DatabaseSettings::Sqlite { path, readers: 1, relaxed_durability: true };
        Store::open(&StoreSettings { database, cache_bytes: 8 << 20 }).await.unwrap()
    }

    /// A homeserver.
    pub fn server(&self, name: &str) -> &Homeserver {
        self.members[name].homeserver.as_ref().unwrap()
    }

    /// Somebody who has not logged in at a homeserver. Follows it over restarts.
    pub fn stranger(&self, name: &str) -> Client {
        let (name, wires) = (name.to_owned(), Arc::clone(&self.wires));
        Client::direct(move |request| -> Answering {
            match wires.door(&name) {
                Some(door) => door(request),
                None => Box::pin(std::future::ready(Err(NoAnswer("the server is stopped".to_owned())))),
            }
        })
    }

    /// Registers somebody at a homeserver.
    pub async fn user(&self, localpart: &str, name: &str) -> User {
        User::register(self.stranger(name), localpart).await
    }

    /// Registers somebody at a homeserver who administers it.
    pub async fn administrator(&self, localpart: &str, name: &str) -> User {
        let user = self.user(localpart, name).await;
        self.promote(localpart, name).await;
        // The session began without the right.
        user.log_in_again().await
    }

    /// Makes a user of a server an administrator, for the sessions that begin from now on.
    ///
    /// # Panics
    /// If there is no such user.
    pub async fn promote(&self, localpart: &str, name: &str) {
        let (accounts, store) =
            open_accounts(self.server(name).config(), self.ambient.clone()).await.unwrap();
        accounts.set_admin(localpart, true).await.unwrap();
        drop(accounts);
        store.close().await;
    }

    /// A server that is no homeserver: the test itself speaks by this name, with a key of its own.
    pub fn peer(&self, name: &str) -> Peer {
        Peer::on(&self.wires, name, &self.ambient)
    }

    /// The way from a server to all others, for tests that speak for themselves.
    pub fn transport(&self, from: &str) -> Arc<dyn Transport> {
        Arc::new(Wire { from: from.to_owned(), wires: Arc::clone(&self.wires) })
    }

    /// Two servers do not reach each other from now on.
    pub fn cut(&self, one: &str, other: &str) {
        self.wires.set_cut(one, other, true);
    }

    /// Two servers reach each other again.
    pub fn mend(&self, one: &str, other: &str) {
        self.wires.set_cut(one, other, false);
    }

    /// Every request between servers so far, also those that did not come through.
    pub fn asked(&self) -> Vec<Asked> {
        self.wires.asked()
    }
}
