//! Account data in memory.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parvis_cache::Cache;

use crate::{
    model::{AccountData, AccountDataChange},
    numbers::{RoomSn, UserSn},
};

/// Whose data, of which room, of which type.
type Key = (UserSn, Option<RoomSn>, Box<str>);

/// Pieces of account data in memory, also those that are known not to be.
#[derive(Debug)]
pub(crate) struct AccountDataCache {
    pieces: Cache<Key, Option<Arc<AccountData>>>,
    generation: AtomicU64,
}

impl AccountDataCache {
    /// A cache of at most so many bytes, about.
    pub(crate) fn new(bytes: u64) -> Self {
        let weigh = |key: &Key, data: &Option<Arc<AccountData>>| {
            let content = data.as_ref().map_or(0, |data| data.content.get().len());
            u32::try_from(content + 2 * key.2.len() + 100).unwrap_or(u32::MAX)
        };
        Self { pieces: Cache::weighed(bytes, weigh), generation: AtomicU64::new(0) }
    }

    /// A piece of data, or that there is none, if memory knows.
    pub(crate) fn get(&self, key: &Key) -> Option<Option<Arc<AccountData>>> {
        self.pieces.get(key)
    }

    /// How many commits have changed account data so far; see [`keep`](Self::keep).
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Brings the cache up to date with a commit.
    pub(crate) fn apply(&self, changes: &[AccountDataChange]) {
        if !changes.is_empty() {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
        for AccountDataChange { user, data } in changes {
            let key = (*user, data.room, data.kind.as_str().into());
            self.pieces.insert(key, Some(Arc::clone(data)));
        }
    }

    /// Keeps what was read, unless something changed since before the reading.
    pub(crate) fn keep(&self, key: Key, data: Option<Arc<AccountData>>, generation: u64) {
        self.pieces.insert(key.clone(), data);
        if self.generation() != generation {
            self.pieces.remove(&key);
        }
    }
}
