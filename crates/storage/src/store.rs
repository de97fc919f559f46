//! The store: what engines hold to read and to write, and what it keeps in memory.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use moka::sync::Cache;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    EventSn, Position, RoomSn, Slot, TypeSn, UserSn,
    account_data::AccountDataCache,
    aggregations::Aggregation,
    changes::{Announced, Stream},
    engine::{DatabaseSettings, Engine, EngineKind},
    error::{CommitError, StorageError},
    events::StoredEvent,
    intern::Numbers,
    members::{RoomMembers, UserRooms},
    migrate::migrate,
    state_tree::{Node, NodeHash},
    statement::statements,
    write_set::{PendingChange, WriteSet},
    writer::{self, Committed, Submitted, Writer},
};

statements! {
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
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// What all clones of a store, and its writer, share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) stream: Stream,
    pub(crate) numbers: Numbers,
    pub(crate) room_sns: Cache<OwnedRoomId, RoomSn>,
    pub(crate) room_ids: Cache<RoomSn, OwnedRoomId>,
    pub(crate) user_sns: Cache<OwnedUserId, UserSn>,
    pub(crate) user_ids: Cache<UserSn, OwnedUserId>,
    pub(crate) types: Cache<Box<str>, TypeSn>,
    pub(crate) slots: Cache<(RoomSn, TypeSn, Box<str>), Slot>,
    pub(crate) event_sns: Cache<OwnedEventId, EventSn>,
    pub(crate) user_rooms: Cache<UserSn, Arc<UserRooms>>,
    pub(crate) room_members: Cache<RoomSn, Arc<RoomMembers>>,
    events: Cache<EventSn, Arc<StoredEvent>>,
    nodes: Cache<NodeHash, Arc<Node>>,
    pub(crate) aggregations: Cache<OwnedEventId, Arc<Aggregation>>,
    pub(crate) no_children: Arc<Aggregation>,
    pub(crate) relation_generation: AtomicU64,
    pub(crate) account_data: AccountDataCache,
    pending: Mutex<Pending>,
    rewrites: AtomicU64,
    member_generation: Mutex<u64>,
}

/// What was submitted and is not yet committed, so that the next operation can build on it. Counted, since
/// several sets may write the same node.
#[derive(Debug, Default)]
struct Pending {
    events: HashMap<EventSn, Arc<StoredEvent>>,
    nodes: HashMap<NodeHash, (Arc<Node>, usize)>,
}

impl Shared {
    fn new(head: Position, cache_bytes: u64) -> Self {
        let names = 100_000;
        Self {
            stream: Stream::new(head),
            numbers: Numbers::default(),
            room_sns: Cache::new(names),
            room_ids: Cache::new(names),
            user_sns: Cache::new(names),
            user_ids: Cache::new(names),
            types: Cache::new(names),
            slots: Cache::new(names),
            event_sns: Cache::new(names),
            user_rooms: Cache::builder()
                .max_capacity(cache_bytes / 8)
                .weigher(|_, rooms: &Arc<UserRooms>| rooms.weight())
                .build(),
            room_members: Cache::builder()
                .max_capacity(cache_bytes / 8)
                .weigher(|_, members: &Arc<RoomMembers>| members.weight())
                .build(),
            events: Cache::builder()
                .max_capacity(cache_bytes / 2)
                .weigher(|_, event: &Arc<StoredEvent>| event.weight())
                .build(),
            nodes: Cache::builder()
                .max_capacity(cache_bytes / 4)
                .weigher(|_, node: &Arc<Node>| u32::try_from(node.weight()).unwrap_or(u32::MAX))
                .build(),
            aggregations: Cache::builder()
                .max_capacity(cache_bytes / 16)
                .weigher(|_, aggregation: &Arc<Aggregation>| aggregation.weight())
                .build(),
            no_children: Arc::default(),
            relation_generation: AtomicU64::new(0),
            account_data: AccountDataCache::new(cache_bytes / 16),
            pending: Mutex::default(),
            rewrites: AtomicU64::new(0),
            member_generation: Mutex::new(0),
        }
    }

    pub(crate) fn remember_room(&self, room: RoomSn, room_id: &OwnedRoomId) {
        self.room_sns.insert(room_id.clone(), room);
        self.room_ids.insert(room, room_id.clone());
    }

    pub(crate) fn remember_user(&self, user: UserSn, user_id: &OwnedUserId) {
        self.user_sns.insert(user_id.clone(), user);
        self.user_ids.insert(user, user_id.clone());
    }

    pub(crate) fn event(&self, sn: EventSn) -> Option<Arc<StoredEvent>> {
        self.events.get(&sn).or_else(|| self.pending().events.get(&sn).cloned())
    }

    pub(crate) fn node(&self, hash: &NodeHash) -> Option<Arc<Node>> {
        self.nodes.get(hash).or_else(|| self.pending().nodes.get(hash).map(|node| Arc::clone(&node.0)))
    }

    pub(crate) fn cache_node(&self, hash: NodeHash, node: &Arc<Node>) {
        self.nodes.insert(hash, Arc::clone(node));
    }

    /// How many commits have changed stored events so far; see [`cache_event`](Self::cache_event).
    pub(crate) fn rewrites(&self) -> u64 {
        self.rewrites.load(Ordering::Acquire)
    }

    /// Keeps an event that was read, unless some event was rewritten since before the reading.
    pub(crate) fn cache_event(&self, event: &Arc<StoredEvent>, rewrites: u64) {
        self.events.insert(event.sn, Arc::clone(event));
        if self.rewrites() != rewrites {
            self.events.invalidate(&event.sn);
        }
    }

    /// How many commits have changed memberships so far; see [`keep_if_current`](Self::keep_if_current).
    pub(crate) fn member_generation(&self) -> u64 {
        *self.member_generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was read about memberships, unless some changed since before the reading.
    pub(crate) fn keep_if_current(&self, generation: u64, keep: impl FnOnce()) {
        let current = self.member_generation.lock().unwrap_or_else(PoisonError::into_inner);
        if *current == generation {
            keep();
        }
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the next operation see what this set will write.
    fn add_pending(&self, set: &WriteSet) {
        if set.nodes.is_empty() && set.changes.is_empty() {
            return;
        }
        let mut pending = self.pending();
        for (hash, node) in &set.nodes {
            pending.nodes.entry(*hash).or_insert_with(|| (Arc::clone(node), 0)).1 += 1;
        }
        for change in &set.changes {
            if let PendingChange::Event(event) = change {
                pending.events.insert(event.sn, event.stored_at(Position::START));
            }
        }
    }

    /// Forgets what sets would have written.
    pub(crate) fn forget_pending(&self, sets: &[Box<WriteSet>]) {
        sets.iter().for_each(|set| self.remove_pending(set));
    }

    fn remove_pending(&self, set: &WriteSet) {
        let mut pending = self.pending();
        for (hash, _) in &set.nodes {
            if let Some(node) = pending.nodes.get_mut(hash) {
                node.1 -= 1;
                if node.1 == 0 {
                    pending.nodes.remove(hash);
                }
            }
        }
        for change in &set.changes {
            if let PendingChange::Event(event) = change {
                pending.events.remove(&event.sn);
            }
        }
    }

    /// Brings memory up to date with a group that was committed, and announces it. Sets that were refused are
    /// forgotten.
    pub(crate) fn apply<'a>(&self, sets: impl Iterator<Item = (&'a WriteSet, bool)>, firsts: &[Position]) {
        let mut announced: Vec<Announced> = Vec::new();
        for ((set, written), first) in sets.zip(firsts) {
            if written {
                self.apply_set(set, *first);
                announced.extend(writer::announced(set, *first));
            }
            self.remove_pending(set);
        }
        self.stream.publish(announced);
    }

    fn apply_set(&self, set: &WriteSet, first: Position) {
        for (hash, node) in &set.nodes {
            self.cache_node(*hash, node);
        }
        for (change, position) in set.changes.iter().zip(first.0 + 1..) {
            if let PendingChange::Event(event) = change {
                let stored = event.stored_at(Position(position));
                self.apply_relation(&stored);
                self.event_sns.insert(stored.pdu.event_id().to_owned(), stored.sn);
                self.events.insert(stored.sn, stored);
            }
        }
        for (room, kind, state_key, slot) in &set.slots {
            self.slots.insert((*room, *kind, state_key.clone()), *slot);
        }
        if let Some(room) = set.room.as_ref().filter(|room| room.expected.is_none()) {
            self.remember_room(room.room, &room.head.room_id);
        }
        self.account_data.apply(&set.account_data);
        if !set.members.is_empty() {
            let mut generation = self.member_generation.lock().unwrap_or_else(PoisonError::into_inner);
            *generation += 1;
            self.apply_members(&set.members, first);
        }
        if !set.rewritten.is_empty() {
            self.rewrites.fetch_add(1, Ordering::AcqRel);
            set.rewritten.iter().for_each(|event| self.events.invalidate(event));
            self.forget_aggregations();
        }
    }
}

impl Store {
    /// Opens the database, bringing its schema up to date.
    ///
    /// # Errors
    /// If the database cannot be reached or made, or was written by a newer Parvis.
    pub async fn open(settings: &StoreSettings) -> Result<Self, StorageError> {
        let engine = Engine::connect(&settings.database).await?;
        migrate(&engine).await?;
        let head = Self::stored_position(&engine).await?;
        let shared = Arc::new(Shared::new(head, settings.cache_bytes));
        let (writer, task) = Writer::start(engine.clone(), Arc::clone(&shared));
        Ok(Self {
            engine,
            writer,
            shared,
            numbers_turn: Arc::default(),
            task: Arc::new(Mutex::new(Some(task))),
        })
    }

    /// Which engine the store runs on.
    pub fn engine_kind(&self) -> EngineKind {
        self.engine.kind()
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
        self.shared.add_pending(&set);
        self.writer.submit(set).await
    }

    /// The newest visible position.
    pub fn head(&self) -> Position {
        self.shared.stream.head()
    }

    /// Follows the newest visible position.
    pub fn follow(&self) -> watch::Receiver<Position> {
        self.shared.stream.subscribe()
    }

    /// The changes after `since` up to `until`, if memory reaches back that far. If not, the reader asks the
    /// tables.
    pub fn changes_between(&self, since: Position, until: Position) -> Option<Vec<Announced>> {
        self.shared.stream.between(since, until)
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

    /// Finishes the writes that wait, then closes the database. Call it when nothing else uses the store.
    pub async fn close(self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Self { engine, writer, .. } = self;
        drop(writer);
        if let Some(task) = task {
            // Ends once the last clone of the store is gone; a clone that is kept longer must not hang a shutdown.
            let _ = tokio::time::timeout(std::time::Duration::from_secs(5), task).await;
        }
        engine.close().await;
    }
}
