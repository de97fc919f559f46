//! What the transactions of other servers were answered: each is worked on once, and its answer kept for when it
//! comes again. <https://spec.matrix.org/v1.19/server-server-api/#transactions>

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex as StdMutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use parvis_ambient::Ambient;
use parvis_storage::{StorageError, Store, WriteSet};
use ruma::{OwnedServerName, ServerName};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::refused;

/// How many transactions of one server may be under way; all but one of them wait. A server that behaves sends one
/// at a time, and perhaps again what it gave up.
const MOST_AT_ONCE: usize = 8;
/// For how long answers are kept.
const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// How often older ones are deleted.
const DELETE_EVERY: Duration = Duration::from_secs(3_600);

/// Keeps answers to transactions of other servers. Cheap to clone; all clones are the same.
#[derive(Clone, Debug)]
pub struct Answers {
    store: Store,
    ambient: Ambient,
    turns: Arc<StdMutex<HashMap<OwnedServerName, Arc<Mutex<()>>>>>,
    /// When old answers were deleted last, in milliseconds since the epoch.
    deleted: Arc<AtomicI64>,
}

/// The turn of a server, whose transactions are worked on one after another.
#[derive(Debug)]
pub struct Turn {
    answers: Answers,
    origin: OwnedServerName,
    held: Option<OwnedMutexGuard<()>>,
}

impl Answers {
    /// The answers in a store.
    pub fn new(store: Store, ambient: Ambient) -> Self {
        Self { store, ambient, turns: Arc::default(), deleted: Arc::default() }
    }

    /// Waits until no other transaction of a server is worked on; nothing, if too many wait already.
    pub async fn turn(&self, origin: &ServerName) -> Option<Turn> {
        let turn = {
            let mut turns = self.turns();
            let turn = turns.entry(origin.to_owned()).or_default();
            // One is in the map.
            if Arc::strong_count(turn) > MOST_AT_ONCE {
                return None;
            }
            Arc::clone(turn)
        };
        let mut turn_of = Turn { answers: self.clone(), origin: origin.to_owned(), held: None };
        turn_of.held = Some(turn.lock_owned().await);
        Some(turn_of)
    }

    fn turns(&self) -> MutexGuard<'_, HashMap<OwnedServerName, Arc<Mutex<()>>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// The answer that a transaction was given before.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn answer(&self, transaction_id: &str) -> Result<Option<String>, StorageError> {
        self.answers.store.answer(&self.origin, transaction_id).await
    }

    /// Keeps the answer to a transaction. Only then may it be given.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn keep(self, transaction_id: &str, answer: &str) -> Result<(), StorageError> {
        let Answers { store, ambient, deleted, .. } = &self.answers;
        let now = ambient.now();
        let mut set = WriteSet::new();
        set.put_answer(&self.origin, transaction_id, answer, now.millis());
        let every = i64::try_from(DELETE_EVERY.as_millis()).unwrap_or(i64::MAX);
        let last = deleted.load(Ordering::Relaxed);
        if now.millis().saturating_sub(last) >= every
            && deleted.compare_exchange(last, now.millis(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
            set.delete_old_answers(now.millis().saturating_sub(kept));
        }
        store.commit(set).await.map(drop).map_err(refused)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.held = None;
        let mut turns = self.answers.turns();
        if turns.get(&self.origin).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            turns.remove(&self.origin);
        }
    }
}
