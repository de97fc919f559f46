//! Where rooms stand, in memory: brought up to date with each commit, so that who asks right after one reads nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parvis_cache::Cache;

use crate::{
    model::RoomHead,
    numbers::{Position, RoomSn},
};

/// How many rooms are remembered.
const ROOMS: u64 = 10_000;

/// The heads of the rooms that were asked for, or written to, lately.
#[derive(Debug)]
pub(crate) struct HeadCache {
    by_room: Cache<RoomSn, Arc<RoomHead>>,
    /// How often rooms have moved so far.
    generation: Mutex<u64>,
}

impl HeadCache {
    pub(crate) fn new() -> Self {
        Self { by_room: Cache::new(ROOMS), generation: Mutex::default() }
    }

    /// Where a room stands, if memory knows.
    pub(crate) fn get(&self, room: RoomSn) -> Option<Arc<RoomHead>> {
        self.by_room.get(&room)
    }

    /// How often rooms have moved so far; what was read is kept only if none did meanwhile.
    pub(crate) fn generation(&self) -> u64 {
        *self.count()
    }

    fn count(&self) -> MutexGuard<'_, u64> {
        self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a head that was read, unless some room moved since before the reading.
    pub(crate) fn keep(&self, head: &Arc<RoomHead>, generation: u64) {
        let current = self.count();
        if *current == generation {
            self.by_room.insert(head.room, Arc::clone(head));
        }
    }

    /// Notes where a commit has left a room; `newest` is the position of the newest event that it wrote, if it wrote any.
    pub(crate) fn apply(&self, head: &RoomHead, newest: Option<Position>) {
        let mut current = self.count();
        *current += 1;
        // A head does not know of the events that were written after it was read.
        let known = newest.or_else(|| self.by_room.get(&head.room).map(|before| before.last_position));
        match known {
            Some(newest) => {
                let last_position = newest.max(head.last_position);
                self.by_room.insert(head.room, Arc::new(RoomHead { last_position, ..head.clone() }));
            }
            None => self.by_room.remove(&head.room),
        }
    }
}

#[cfg(test)]
mod tests {
    use parvis_events::RoomVersion;

    use super::*;
    use crate::state_tree::StateRoot;

    fn head(version: i64, last_position: i64) -> RoomHead {
        RoomHead {
            room: RoomSn(1),
            room_id: "!room:example.org".try_into().unwrap(),
            version: RoomVersion::V12,
            class: String::new(),
            head_version: version,
            heads: Vec::new(),
            state_root: StateRoot::EMPTY,
            depth: 1,
            next_slot: 1,
            next_state_index: 1,
            last_position: Position(last_position),
        }
    }

    #[test]
    fn what_was_read_before_a_commit_is_not_kept_after_it() {
        let heads = HeadCache::new();
        let generation = heads.generation();
        heads.apply(&head(2, 0), Some(Position(7)));
        heads.keep(&Arc::new(head(1, 5)), generation);
        let kept = heads.get(RoomSn(1)).unwrap();
        assert_eq!((kept.head_version, kept.last_position), (2, Position(7)));
    }

    #[test]
    fn commit_without_events_leaves_the_newest_where_it_was() {
        let heads = HeadCache::new();
        heads.apply(&head(2, 0), Some(Position(7)));
        heads.apply(&head(3, 5), None);
        let kept = heads.get(RoomSn(1)).unwrap();
        assert_eq!((kept.head_version, kept.last_position), (3, Position(7)));
    }

    #[test]
    fn commit_without_events_of_a_room_that_is_not_remembered_leaves_it_to_be_read() {
        let heads = HeadCache::new();
        heads.apply(&head(3, 5), None);
        assert!(heads.get(RoomSn(1)).is_none());
    }
}
