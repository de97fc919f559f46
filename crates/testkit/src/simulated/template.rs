//! A homeserver as it is before anything happens: its database, with its users in it. Made once in a process and
//! copied for each world, since hashing passwords takes longer than a whole run.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use parvis_ambient::{Ambient, SeededChance, TestClock};
use parvis_peers::NoNetwork;
use parvis_server::{
    Homeserver,
    config::{OrganisationConfig, Sources, StorageConfig, load},
};

use super::ambient::START_MS;
use crate::{Client, Engine, User, setup::Setup, wires::door_to};

/// How many users each homeserver has.
pub const USERS: [&str; 3] = ["ann", "ben", "eve"];

const SETTINGS: &str = r#"
    [storage]
    cache_size = "16 MiB"
    sqlite = { readers = 2, synchronous = "normal" }

    [presence]
    mode = "off"
"#;

/// Somebody with a session.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user id.
    pub id: String,
    /// The access token.
    pub token: String,
}

/// A homeserver before anything happens.
#[derive(Debug)]
pub(crate) struct Template {
    config: OrganisationConfig,
    database: Vec<u8>,
    pub(crate) people: Vec<Person>,
}

impl Template {
    /// The template of the homeserver of this name.
    pub(crate) fn of(name: &str) -> Arc<Self> {
        static TEMPLATES: OnceLock<Mutex<HashMap<String, Arc<Template>>>> = OnceLock::new();
        let mut templates =
            TEMPLATES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(templates.entry(name.to_owned()).or_insert_with(|| Arc::new(Self::make(name))))
    }

    fn make(name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let setup = Setup::of_server(name, &Engine::Sqlite, SETTINGS).await;
            let sources = Sources { file: Some(setup.file.clone()), environment: Vec::new() };
            let loaded = load(&sources).unwrap_or_else(|error| panic!("{error}"));
            let config = loaded.config.organisations.into_iter().next().unwrap();
            let seed = name.bytes().fold(7, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(byte));
            let clock = Arc::new(TestClock::starting_at(START_MS));
            let ambient = Ambient { clock, chance: Arc::new(SeededChance::new(seed)) };
            let homeserver = Homeserver::start(config.clone(), ambient, Arc::new(NoNetwork)).await.unwrap();
            let door = door_to(homeserver.router());
            let client = Client::direct(move |request| door(request));
            let mut people = Vec::new();
            for localpart in USERS {
                let user = User::register(client.clone(), localpart).await;
                let token = user.token().unwrap().to_owned();
                people.push(Person { id: user.id.clone(), token });
            }
            drop(client);
            homeserver.close().await;
            let database = std::fs::read(setup.path("parvis.db")).unwrap();
            assert!(!setup.path("parvis.db-wal").exists(), "the database was not closed");
            Self { config, database, people }
        })
    }

    /// Puts a copy into a directory, and gives the configuration for it.
    pub(crate) fn place(&self, directory: &Path) -> OrganisationConfig {
        let mut config = self.config.clone();
        let file = directory.join("parvis.db");
        self.restore(&file);
        match &mut config.storage {
            StorageConfig::Sqlite { path, .. } => *path = file,
            StorageConfig::Postgres { .. } => unreachable!("a simulated server has a database file"),
        }
        config.media.directory = directory.join("media");
        config
    }

    /// Writes the database as it is before anything happens.
    pub(crate) fn restore(&self, file: &Path) {
        std::fs::write(file, &self.database).unwrap();
    }
}
