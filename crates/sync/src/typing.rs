//! Who is typing (<https://spec.matrix.org/v1.19/client-server-api/#typing-notifications>).
//!
//! Knows rooms and users by number, and times by the clock of whoever calls.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use parvis_ambient::Timestamp;
use parvis_storage::{RoomSn, UserSn};

use crate::ephemeral::Counter;

/// Who is typing where. Cheap to clone; all clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Typing {
    counter: Counter,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    rooms: HashMap<RoomSn, TypingRoom>,
    /// The rooms by their last change. A room in which somebody once typed stays: readers must be told that
    /// nobody types there any more.
    by_change: BTreeMap<u64, RoomSn>,
    ends: BTreeSet<(Timestamp, RoomSn, UserSn)>,
}

#[derive(Debug, Default)]
struct TypingRoom {
    until: BTreeMap<UserSn, Timestamp>,
    changed: u64,
}

impl Typing {
    /// Nobody is typing. Changes are counted by `counter`.
    pub(crate) fn new(counter: Counter) -> Self {
        Self { counter, state: Arc::default() }
    }

    /// Notes that a user types until a time, or types no more; says whether that changes the list.
    pub(crate) fn set(&self, room: RoomSn, user: UserSn, until: Option<Timestamp>) -> bool {
        let mut state = self.lock();
        let typing = state.rooms.entry(room).or_default();
        let before = match until {
            Some(until) => typing.until.insert(user, until),
            None => typing.until.remove(&user),
        };
        if let Some(before) = before {
            state.ends.remove(&(before, room, user));
        }
        if let Some(until) = until {
            state.ends.insert((until, room, user));
        }
        let changed = before.is_some() != until.is_some();
        if changed {
            state.note(room, &self.counter);
        }
        changed
    }

    /// Drops those whose time is over; gives them, and the rooms in which they do not type any more.
    pub(crate) fn expire(&self, now: Timestamp) -> Vec<(RoomSn, UserSn)> {
        let mut state = self.lock();
        let mut ended = Vec::new();
        while let Some((until, room, user)) = state.ends.first().copied().filter(|end| end.0 <= now) {
            state.ends.remove(&(until, room, user));
            if let Some(typing) = state.rooms.get_mut(&room) {
                typing.until.remove(&user);
            }
            state.note(room, &self.counter);
            ended.push((room, user));
        }
        ended
    }

    /// When the next one's time is over.
    pub(crate) fn next_end(&self) -> Option<Timestamp> {
        self.lock().ends.first().map(|end| end.0)
    }

    /// Whether anybody is typing in a room.
    pub(crate) fn any(&self, room: RoomSn) -> bool {
        self.lock().rooms.get(&room).is_some_and(|typing| !typing.until.is_empty())
    }

    /// Who is typing in a room.
    pub(crate) fn users(&self, room: RoomSn) -> Vec<UserSn> {
        self.lock().rooms.get(&room).map(|typing| typing.until.keys().copied().collect()).unwrap_or_default()
    }

    /// The rooms whose lists have changed after a count; without one, those in which somebody is typing.
    pub(crate) fn changed_since(&self, count: Option<u64>) -> Vec<RoomSn> {
        let state = self.lock();
        match count {
            Some(count) => state.by_change.range(count.saturating_add(1)..).map(|(_, room)| *room).collect(),
            None => {
                let typing = state.rooms.iter().filter(|(_, typing)| !typing.until.is_empty());
                typing.map(|(room, _)| *room).collect()
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, room: RoomSn, counter: &Counter) {
        let change = counter.next();
        let typing = self.rooms.entry(room).or_default();
        let before = std::mem::replace(&mut typing.changed, change);
        self.by_change.remove(&before);
        self.by_change.insert(change, room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: RoomSn = RoomSn(1);
    const USER: UserSn = UserSn(2);

    #[test]
    fn list_changes_only_with_who_is_on_it() {
        let typing = Typing::new(Counter::new(1));
        assert!(typing.set(ROOM, USER, Some(Timestamp(10))));
        assert!(!typing.set(ROOM, USER, Some(Timestamp(20))), "going on changes nothing");
        assert_eq!(typing.changed_since(Some(0)), [ROOM]);
        assert_eq!(typing.changed_since(Some(1)), []);
        assert!(typing.set(ROOM, USER, None));
        assert!(!typing.set(ROOM, USER, None));
        assert_eq!((typing.changed_since(Some(1)), typing.users(ROOM)), (vec![ROOM], vec![]));
        assert_eq!(typing.changed_since(None), [], "a new reader hears of those who type");
    }

    #[test]
    fn typing_ends_when_its_time_is_over() {
        let typing = Typing::new(Counter::new(1));
        typing.set(ROOM, USER, Some(Timestamp(10)));
        typing.set(ROOM, USER, Some(Timestamp(20)));
        typing.set(RoomSn(3), USER, Some(Timestamp(15)));
        assert_eq!(typing.next_end(), Some(Timestamp(15)));
        assert_eq!(typing.expire(Timestamp(10)), []);
        assert_eq!(typing.expire(Timestamp(15)), [(RoomSn(3), USER)]);
        assert!(typing.any(ROOM) && !typing.any(RoomSn(3)));
        assert_eq!(typing.expire(Timestamp(99)), [(ROOM, USER)]);
        assert_eq!(typing.next_end(), None);
    }
}
