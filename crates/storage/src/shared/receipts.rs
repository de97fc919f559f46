//! Receipts in memory, room by room, kept up to date with each commit.

use std::sync::{Arc, Mutex, PoisonError};

use parvis_cache::Cache;

use crate::{
    model::{Receipt, ReceiptChange, RoomReceipts},
    numbers::{Position, RoomSn},
};

/// The receipts of rooms in memory.
#[derive(Debug)]
pub(crate) struct ReceiptCache {
    rooms: Cache<RoomSn, Arc<RoomReceipts>>,
    generation: Mutex<u64>,
}

impl ReceiptCache {
    /// A cache of at most so many bytes, about.
    pub(crate) fn new(bytes: u64) -> Self {
        let weigh = |_: &RoomSn, receipts: &Arc<RoomReceipts>| receipts.weight();
        Self { rooms: Cache::weighed(bytes, weigh), generation: Mutex::new(0) }
    }

    /// Brings the cache up to date with a commit whose first change stands after `first`.
    pub(crate) fn apply(&self, changes: &[ReceiptChange], first: Position) {
        if changes.is_empty() {
            return;
        }
        let mut generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        *generation += 1;
        for change in changes {
            if let Some(room) = self.rooms.get(&change.room) {
                let position = Position(first.0 + i64::from(change.change) + 1);
                room.put(Receipt { position, ..change.receipt.clone() });
            }
        }
    }

    /// The receipts of a room, if memory has them.
    pub(crate) fn get(&self, room: RoomSn) -> Option<Arc<RoomReceipts>> {
        self.rooms.get(&room)
    }

    /// How many commits have moved receipts so far; see [`keep`](Self::keep).
    pub(crate) fn generation(&self) -> u64 {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was read, unless a receipt moved since before the reading.
    pub(crate) fn keep(&self, room: RoomSn, receipts: &Arc<RoomReceipts>, generation: u64) {
        let current = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        if *current == generation {
            self.rooms.insert(room, Arc::clone(receipts));
        }
    }
}
