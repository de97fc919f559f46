//! A homeserver in the test's own process.

use std::sync::Arc;

use parvis_ambient::{Ambient, Clock, SystemChance, TestClock};
use parvis_server::{
    Process,
    config::{Sources, load},
};

use crate::{Client, Engine, User, setup::Setup};

/// What a test's clock shows at first, in milliseconds since the Unix epoch.
const START_MS: i64 = 1_700_000_000_000;

/// A homeserver that runs in this process, on a database of its own.
#[derive(Debug)]
pub struct Server {
    setup: Setup,
    ambient: Ambient,
    process: Option<Process>,
}

impl Server {
    /// A homeserver named `parvis.test` that is open to all.
    pub async fn start(engine: &Engine) -> Self {
        Self::with(engine, "").await
    }

    /// A homeserver with these settings, in TOML.
    pub async fn with(engine: &Engine, settings: &str) -> Self {
        Self::with_ambient(engine, settings, Ambient::system()).await
    }

    /// A homeserver whose time passes as the test says, with these settings, in TOML.
    pub async fn with_test_clock(engine: &Engine, settings: &str) -> (Self, Arc<TestClock>) {
        let clock = Arc::new(TestClock::starting_at(START_MS));
        let ambient = Ambient { clock: Arc::clone(&clock) as Arc<dyn Clock>, chance: Arc::new(SystemChance) };
        (Self::with_ambient(engine, settings, ambient).await, clock)
    }

    async fn with_ambient(engine: &Engine, settings: &str, ambient: Ambient) -> Self {
        let mut server = Self { setup: Setup::new(engine, settings).await, ambient, process: None };
        server.run().await;
        server
    }

    async fn run(&mut self) {
        let sources = Sources { file: Some(self.setup.file.clone()), environment: Vec::new() };
        let loaded = load(&sources).unwrap_or_else(|error| panic!("{error}"));
        self.process = Some(Process::start(loaded.config, self.ambient.clone()).await.unwrap());
    }

    /// Stops in an orderly way, and starts again on the same data and under the same address, with more settings.
    pub async fn restart_with(&mut self, settings: &str) {
        self.stop().await;
        self.setup.add(settings);
        self.run().await;
    }

    /// Stops in an orderly way.
    pub async fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop().await;
        }
    }

    /// What follows the colon in its users' ids.
    pub fn name(&self) -> &str {
        &self.setup.server_name
    }

    /// Somebody who has not logged in.
    pub fn stranger(&self) -> Client {
        Client::new(&self.setup.base_url)
    }

    /// Registers somebody.
    pub async fn user(&self, localpart: &str) -> User {
        User::register(self.stranger(), localpart).await
    }

    /// Registers somebody who uses a client with this `User-Agent`.
    pub async fn user_with_client(&self, localpart: &str, user_agent: Option<&str>) -> User {
        User::register(self.stranger().with_user_agent(user_agent), localpart).await
    }
}
