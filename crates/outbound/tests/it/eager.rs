//! Whom everything concerns: in place of the push rules, which have tests of their own.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use parvis_outbound::Attention;
use parvis_storage::{Direction, EventSn, Position, StorageError, Store, StoredEvent, UserSn};
use ruma::push::Action;

/// Users who want to be told of every message, and have read what they are said to have read.
#[derive(Debug)]
pub(crate) struct Eager {
    store: Store,
    read: Mutex<HashSet<(UserSn, EventSn)>>,
}

impl Eager {
    /// Users who have read nothing.
    pub(crate) fn new(store: &Store) -> Arc<Self> {
        Arc::new(Self { store: store.clone(), read: Mutex::default() })
    }

    /// A user has read an event.
    pub(crate) fn reads(&self, user: UserSn, event: EventSn) {
        self.read.lock().unwrap().insert((user, event));
    }
}

#[async_trait]
impl Attention for Eager {
    async fn notifies(&self, user: UserSn, event: &Arc<StoredEvent>) -> Result<bool, StorageError> {
        Ok(event.sender != user && event.pdu.kind() == "m.room.message")
    }

    async fn actions(&self, user: UserSn, event: &Arc<StoredEvent>) -> Result<Vec<Action>, StorageError> {
        let read = self.read.lock().unwrap().contains(&(user, event.sn));
        Ok(if read { Vec::new() } else { vec![Action::Notify] })
    }

    async fn unread_between(
        &self,
        user: UserSn,
        after: Position,
        until: Position,
        limit: usize,
    ) -> Result<Vec<(Position, EventSn)>, StorageError> {
        let mut found = Vec::new();
        for (room, _) in self.store.rooms_of_user(user).await?.all() {
            for event in self.store.timeline(room, after, until, Direction::Forward, 10_000).await? {
                if self.notifies(user, &event).await? && !self.actions(user, &event).await?.is_empty() {
                    found.push((event.position, event.sn));
                }
            }
        }
        found.sort_unstable();
        found.truncate(limit);
        Ok(found)
    }

    async fn badge(&self, user: UserSn) -> Result<u64, StorageError> {
        Ok(self.unread_between(user, Position::START, self.store.head(), 10_000).await?.len() as u64)
    }
}
