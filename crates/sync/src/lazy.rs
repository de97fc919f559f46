//! Which memberships a device has been told of, where it loads them lazily
//! (<https://spec.matrix.org/v1.19/client-server-api/#lazy-loading-room-members>).
//!
//! A membership counts as told once the device has come back with the token of the answer that told it: an
//! answer may be lost on its way. What is remembered is bounded, and forgetting only costs a repetition.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use parvis_cache::Cache;
use parvis_storage::{DeviceSn, EventSn, Position, RoomSn};

/// How many (device, filter) pairs are remembered.
const READERS: u64 = 10_000;
/// How many memberships are remembered of each.
const MEMBERSHIPS: usize = 5_000;

type Told = HashMap<RoomSn, HashMap<EventSn, Position>>;

/// What each device has been told, for each filter that it uses.
#[derive(Clone, Debug)]
pub(crate) struct LazyMemory(Cache<(DeviceSn, u64), Arc<Mutex<Told>>>);

impl Default for LazyMemory {
    fn default() -> Self {
        Self(Cache::new(READERS))
    }
}

impl LazyMemory {
    /// Those of these membership events that the device has not been told of in an answer that it has seen,
    /// namely one that ended at or before `since`.
    pub(crate) fn untold(
        &self,
        reader: (DeviceSn, u64),
        room: RoomSn,
        since: Position,
        events: Vec<EventSn>,
    ) -> Vec<EventSn> {
        let Some(told) = self.0.get(&reader) else { return events };
        let told = told.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(told) = told.get(&room) else { return events };
        events.into_iter().filter(|event| told.get(event).is_none_or(|until| *until > since)).collect()
    }

    /// Notes that an answer which ends at `until` tells of these.
    pub(crate) fn tell(
        &self,
        reader: (DeviceSn, u64),
        room: RoomSn,
        until: Position,
        events: impl IntoIterator<Item = EventSn>,
    ) {
        let mut events = events.into_iter().peekable();
        if events.peek().is_none() {
            return;
        }
        let told = self.0.get_with(reader, Arc::default);
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.values().map(HashMap::len).sum::<usize>() > MEMBERSHIPS {
            told.clear();
        }
        let told = told.entry(room).or_default();
        for event in events {
            // Told twice, it counts from the first time.
            told.entry(event).or_insert(until);
        }
    }

    /// Forgets what a device has been told of a room: it may have forgotten too.
    pub(crate) fn forget_room(&self, reader: (DeviceSn, u64), room: RoomSn) {
        if let Some(told) = self.0.get(&reader) {
            told.lock().unwrap_or_else(PoisonError::into_inner).remove(&room);
        }
    }

    /// Forgets what a device has been told: it begins anew.
    pub(crate) fn forget(&self, reader: (DeviceSn, u64)) {
        self.0.remove(&reader);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READER: (DeviceSn, u64) = (DeviceSn(1), 5);
    const ROOM: RoomSn = RoomSn(2);

    #[test]
    fn membership_is_told_again_until_the_device_has_seen_it() {
        let memory = LazyMemory::default();
        let untold = |since| memory.untold(READER, ROOM, Position(since), vec![EventSn(7), EventSn(8)]);
        assert_eq!(untold(10), [EventSn(7), EventSn(8)]);
        memory.tell(READER, ROOM, Position(10), [EventSn(7)]);
        assert_eq!(untold(9), [EventSn(7), EventSn(8)], "the answer was lost");
        assert_eq!(untold(10), [EventSn(8)]);
        memory.tell(READER, ROOM, Position(20), [EventSn(7)]);
        assert_eq!(untold(10), [EventSn(8)]);
    }

    #[test]
    fn devices_and_filters_are_told_apart() {
        let memory = LazyMemory::default();
        memory.tell(READER, ROOM, Position(10), [EventSn(7)]);
        for other in [(DeviceSn(2), 5), (DeviceSn(1), 6)] {
            assert_eq!(memory.untold(other, ROOM, Position(10), vec![EventSn(7)]), [EventSn(7)]);
        }
    }

    #[test]
    fn gap_and_new_beginning_forget() {
        let memory = LazyMemory::default();
        let untold = |room| memory.untold(READER, room, Position(10), vec![EventSn(7)]).len();
        for room in [ROOM, RoomSn(3)] {
            memory.tell(READER, room, Position(10), [EventSn(7)]);
        }
        memory.forget_room(READER, ROOM);
        assert_eq!((untold(ROOM), untold(RoomSn(3))), (1, 0));
        memory.forget(READER);
        assert_eq!(untold(RoomSn(3)), 1);
    }
}
