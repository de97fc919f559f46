//! Engines on fresh stores.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use parvis_accounts::{Accounts, AccountsSettings, NewDevice, OpenedSession, PasswordCost};
use parvis_ambient::{Ambient, Clock, SeededChance, TestClock};
use parvis_storage::{DatabaseSettings, Store, StoreSettings, fresh_schema};
use ruma::server_name;

/// Two nodes of one organisation on one store.
pub(crate) struct World {
    pub(crate) first: Accounts,
    pub(crate) second: Accounts,
    pub(crate) clock: Arc<TestClock>,
    _directory: tempfile::TempDir,
}

impl World {
    async fn on(database: DatabaseSettings, directory: tempfile::TempDir) -> Self {
        let store = Store::open(&StoreSettings { database, cache_bytes: 8 << 20 }).await.unwrap();
        let clock = Arc::new(TestClock::starting_at(1_700_000_000_000));
        let node = |seed| {
            let clock = Arc::clone(&clock) as Arc<dyn Clock>;
            let ambient = Ambient { clock, chance: Arc::new(SeededChance::new(seed)) };
            let settings = AccountsSettings {
                password_cost: PasswordCost { memory_kib: 8, passes: 1 },
                ..AccountsSettings::new(server_name!("parvis.test").to_owned())
            };
            Accounts::new(store.clone(), ambient, settings)
        };
        Self { first: node(1), second: node(2), clock, _directory: directory }
    }
}

/// Logs Alice in.
pub(crate) async fn login(accounts: &Accounts, device: &str, refreshable: bool) -> OpenedSession {
    let device = NewDevice { device_id: Some(device.into()), display_name: None, refreshable, from: None };
    accounts.login_by_password("alice", "password", device).await.unwrap()
}

/// Runs a test on each engine at hand.
pub(crate) async fn on_each_engine<F>(test: impl Fn(World) -> F)
where
    F: Future<Output = ()>,
{
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("parvis.db");
    let sqlite = DatabaseSettings::Sqlite { path, readers: 2, relaxed_durability: true };
    test(World::on(sqlite, directory).await).await;

    #[expect(clippy::disallowed_methods, reason = "tests are told of a server by the environment")]
    let server = std::env::var("PARVIS_TEST_POSTGRES");
    if let Ok(server) = server {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let schema = format!("accounts_{}_{number}", std::process::id());
        let url = fresh_schema(&server, &schema).await.unwrap();
        let postgres = DatabaseSettings::Postgres { url, connections: 4 };
        test(World::on(postgres, tempfile::tempdir().unwrap()).await).await;
    }
}
