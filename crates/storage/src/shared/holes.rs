//! Which rooms have holes in their history.

use std::sync::atomic::{AtomicU64, Ordering};

use parvis_cache::Cache;

use crate::numbers::RoomSn;

/// Whether anything is missing in the history of the rooms that were asked about lately.
#[derive(Debug)]
pub(crate) struct HoleCache {
    by_room: Cache<RoomSn, bool>,
    generation: AtomicU64,
}

impl HoleCache {
    /// Of at most so many rooms, about.
    pub(crate) fn new(rooms: u64) -> Self {
        Self { by_room: Cache::new(rooms), generation: AtomicU64::new(0) }
    }

    /// Whether a room has holes, if memory knows.
    pub(crate) fn get(&self, room: RoomSn) -> Option<bool> {
        self.by_room.get(&room)
    }

    /// How often holes were noted or filled so far; what was read is kept only if none was meanwhile.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Keeps what was read of a room, unless holes were noted or filled since before the reading.
    pub(crate) fn keep(&self, room: RoomSn, has_holes: bool, generation: u64) {
        self.by_room.insert(room, has_holes);
        if self.generation() != generation {
            self.by_room.remove(&room);
        }
    }

    /// Notes that holes in the history of these rooms were noted or filled.
    pub(crate) fn apply(&self, rooms: &[RoomSn]) {
        if rooms.is_empty() {
            return;
        }
        self.generation.fetch_add(1, Ordering::AcqRel);
        rooms.iter().for_each(|room| self.by_room.remove(room));
    }
}
