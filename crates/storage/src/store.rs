//! The store: what engines hold to read and to write. How each table is read stands in that table's module.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use crate::{
    changes::Announced,
    dialect,
    engine::{DatabaseSettings, Engine, EngineKind},
    error::{CommitError, StorageError},
    head::HeadFollower,
    migrate::migrate,
    numbers::Position,
    pace::{Pace, Work},
    shared::Shared,
    statement::statements,
    write_set::WriteSet,
    writer::{Committed, Submitted, Writer, only_int},
};

statements! {
    POSITION = "SELECT value FROM counters WHERE name = 'position'";
    RESTORED_AT = "SELECT value FROM counters WHERE name = 'restored'";
    SERVER_KEY = "SELECT key_id, secret FROM server_keys ORDER BY created_ts DESC LIMIT 1";
    ADD_SERVER_KEY(rows of 3, key 1) = "INSERT INTO server_keys (key_id, secret, created_ts) VALUES {rows}";
}

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// The database.
    pub database: DatabaseSettings,
    /// How many bytes of events, state and memberships are kept in memory, about.
    pub cache_bytes: u64,
}

/// All of one organisation's data. Cheap to clone; all clones are the same store.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) engine: Engine,
    pub(crate) writer: Writer,
    pub(crate) shared: Arc<Shared>,
    pub(crate) numbers_turn: Arc<tokio::sync::Mutex<()>>,
    /// Where the stream was broken off by a restore last.
    pub(crate) restored_at: Option<Position>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Store {
    /// Opens the database, bringing its schema up to date.
    ///
    /// # Errors
    /// If the database cannot be reached or made, or was written by a newer Parvis.
    pub async fn open(settings: &StoreSettings) -> Result<Self, StorageError> {
        Self::open_with_pace(settings, None).await
    }

    /// As [`open`](Self::open); the database works when `pace` says so, or at once without one.
    ///
    /// # Errors
    /// As those of [`open`](Self::open).
    pub async fn open_with_pace(
        settings: &StoreSettings,
        pace: Option<Arc<dyn Pace>>,
    ) -> Result<Self, StorageError> {
        let engine = Engine::connect(&settings.database, pace).await?;
        migrate(&engine).await?;
        let head = settled_position(&engine).await?;
        let restored_at = restored_at(&engine).await?;
        let shared = Arc::new(Shared::new(head, settings.cache_bytes));
        let (writer, task) = Writer::start(engine.clone(), Arc::clone(&shared));
        Ok(Self {
            engine,
            writer,
            shared,
            numbers_turn: Arc::default(),
            restored_at,
            task: Arc::new(Mutex::new(Some(task))),
        })
    }

    /// Which engine the store runs on.
    pub fn engine_kind(&self) -> EngineKind {
        self.engine.kind()
    }

    /// How many reading statements were run so far: what memory answers costs none.
    pub fn reads(&self) -> u64 {
        self.engine.reads()
    }

    /// Writes a set and waits until it is durable.
    ///
    /// # Errors
    /// Any [`CommitError`]; nothing of the set was then written.
    pub async fn commit(&self, set: WriteSet) -> Result<Committed, CommitError> {
        self.submit(set).await.done().await
    }

    /// Puts a set into the writer's queue. Its events and state can be read from now on, by those who know
    /// their numbers; it is not durable, and nobody may be told of it, before [`Submitted::done`] says so.
    pub async fn submit(&self, set: WriteSet) -> Submitted {
        self.shared.pending.add(&set);
        self.writer.submit(set).await
    }

    /// Waits until everything that was submitted before is written, or refused.
    ///
    /// # Errors
    /// If the store is closed or the database fails.
    pub async fn settle(&self) -> Result<(), CommitError> {
        self.commit(WriteSet::new()).await.map(drop)
    }

    /// The newest visible position.
    pub fn head(&self) -> Position {
        self.shared.stream.head()
    }

    /// Follows the newest visible position.
    pub fn follow(&self) -> HeadFollower {
        self.shared.stream.subscribe()
    }

    /// The changes after `since` up to `until`, if memory reaches back that far. If not, the reader asks the
    /// tables.
    pub fn changes_between(&self, since: Position, until: Position) -> Option<Vec<Announced>> {
        self.shared.stream.between(since, until)
    }

    /// Shows the changes after `since` up to `until` one by one, without copying them, if memory reaches back
    /// that far; says whether it does. Writers wait meanwhile: do no more than look.
    pub fn visit_changes(&self, since: Position, until: Position, visit: impl FnMut(&Announced)) -> bool {
        self.shared.stream.visit(since, until, visit)
    }

    /// The server's signing key: its id and its secret bytes.
    pub async fn server_key(&self) -> Result<Option<(String, Vec<u8>)>, StorageError> {
        let row = self.engine.fetch_one(&SERVER_KEY, Vec::new()).await?;
        row.map(|row| Ok((row.text(0)?, row.bytes(1)?))).transpose()
    }

    /// Keeps a new signing key.
    pub async fn add_server_key(
        &self,
        key_id: &str,
        secret: &[u8],
        created_ts: i64,
    ) -> Result<(), CommitError> {
        let mut set = WriteSet::new();
        set.write(&ADD_SERVER_KEY, vec![key_id.into(), secret.into(), created_ts.into()]);
        self.commit(set).await.map(drop)
    }

    /// Finishes the writes that wait, then closes the database. Clones that are still there find it closed.
    pub async fn close(self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Self { engine, writer, .. } = self;
        writer.close().await;
        if let Some(task) = task {
            // It fails only if the task panicked; then there is nothing to wait for.
            let _ = task.await;
        }
        engine.close().await;
    }
}

/// The position of the newest change in the database. A process that was killed may have left a commit under way
/// there: the counter's lock is waited for, or what that commit brings would lie behind the head and be told nobody.
async fn settled_position(engine: &Engine) -> Result<Position, StorageError> {
    let _turn = engine.turn(Work::Read(POSITION.name)).await;
    let text = dialect::lock_rows(engine, POSITION.text.to_owned());
    let rows = engine.writer().await?.fetch(text, Vec::new()).await?;
    Ok(Position(only_int(&rows)?))
}

/// Where the store's stream was broken off by a restore last, if it ever was.
async fn restored_at(engine: &Engine) -> Result<Option<Position>, StorageError> {
    let row = engine.fetch_one(&RESTORED_AT, Vec::new()).await?;
    row.map(|row| row.int(0).map(Position)).transpose()
}
