//! Fresh stores on each engine at hand.

use std::{
    future::Future,
    sync::atomic::{AtomicU32, Ordering},
};

use parvis_storage::{DatabaseSettings, Store, StoreSettings, fresh_schema};

/// A store and what must live as long as it.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) settings: StoreSettings,
    pub(crate) _directory: tempfile::TempDir,
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("parvis.db");
        let database = DatabaseSettings::Sqlite { path, readers: 2, relaxed_durability: false };
        Self::open(database, directory).await
    }

    async fn postgres(server: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let schema = format!("storage_{}_{number}", std::process::id());
        let url = fresh_schema(server, &schema).await.unwrap();
        let database = DatabaseSettings::Postgres { url, connections: 4 };
        Self::open(database, tempfile::tempdir().unwrap()).await
    }

    async fn open(database: DatabaseSettings, directory: tempfile::TempDir) -> Self {
        let settings = StoreSettings { database, cache_bytes: 8 << 20 };
        let store = Store::open(&settings).await.unwrap();
        Self { store, settings, _directory: directory }
    }
}

/// Runs a test on each engine at hand.
pub(crate) async fn on_each_engine<F>(test: impl Fn(World) -> F)
where
    F: Future<Output = ()>,
{
    test(World::sqlite().await).await;
    if let Ok(server) = std::env::var("PARVIS_TEST_POSTGRES") {
        test(World::postgres(&server).await).await;
    }
}

/// A world on PostgreSQL, where there is a server.
pub(crate) async fn postgres_if_any() -> Option<World> {
    match std::env::var("PARVIS_TEST_POSTGRES") {
        Ok(server) => Some(World::postgres(&server).await),
        Err(_) => None,
    }
}
