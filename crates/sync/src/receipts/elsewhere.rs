//! Receipts that come from other servers. They may speak of an event that has not come yet; they wait for it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use parvis_storage::{NewReceipt, Position, RoomSn, StorageError, StoredEvent, UserSn, WriteSet};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};

use super::{ReadThread, ReceiptError, Receipts};

/// How many receipts wait for their events at most. The oldest make room for new ones.
const WAITING: usize = 2_000;

/// How far another server's user has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeardReceipt {
    /// The room.
    pub room_id: OwnedRoomId,
    /// Who has read.
    pub user_id: OwnedUserId,
    /// Up to which event.
    pub event_id: OwnedEventId,
    /// Of which part of the room.
    pub thread: ReadThread,
    /// When, in milliseconds since the epoch.
    pub ts: i64,
}

/// Receipts of events that have not come yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Early(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    by_event: HashMap<OwnedEventId, Vec<(RoomSn, UserSn, HeardReceipt)>>,
    /// The events, once for each receipt, oldest receipt first.
    order: VecDeque<OwnedEventId>,
}

impl Early {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, room: RoomSn, user: UserSn, heard: HeardReceipt) {
        let mut waiting = self.lock();
        while waiting.order.len() >= WAITING {
            let Some(oldest) = waiting.order.pop_front() else { break };
            waiting.by_event.remove(&oldest);
        }
        waiting.order.push_back(heard.event_id.clone());
        waiting.by_event.entry(heard.event_id.clone()).or_default().push((room, user, heard));
    }

    fn take(&self, event: &StoredEvent) -> Vec<(RoomSn, UserSn, HeardReceipt)> {
        let mut waiting = self.lock();
        let taken = waiting.by_event.remove(event.pdu.event_id()).unwrap_or_default();
        if !taken.is_empty() {
            waiting.order.retain(|other| other != event.pdu.event_id());
        }
        taken
    }
}

impl Receipts {
    /// Whether a receipt waits for an event that has not come yet.
    pub(crate) fn any_early(&self) -> bool {
        !self.early.lock().by_event.is_empty()
    }

    /// Moves a receipt that another server has told of.
    pub(crate) async fn hear(
        &self,
        room: RoomSn,
        user: UserSn,
        heard: HeardReceipt,
    ) -> Result<(), StorageError> {
        let event = self.store.event_by_id(&heard.event_id).await?;
        match event.filter(|event| event.position != Position::START) {
            Some(event) if event.room == room => self.put_heard(user, &heard, &event).await,
            Some(_) => Ok(()),
            None => {
                let event_id = heard.event_id.clone();
                self.early.add(room, user, heard);
                // It may have come while this was noted, and then nobody looks for receipts that wait for it.
                match self.store.event_by_id(&event_id).await? {
                    Some(event) if event.position != Position::START => self.welcome(&event).await,
                    _ => Ok(()),
                }
            }
        }
    }

    /// Moves the receipts that waited for an event.
    pub(crate) async fn welcome(&self, event: &StoredEvent) -> Result<(), StorageError> {
        for (room, user, heard) in self.early.take(event) {
            if room == event.room {
                self.put_heard(user, &heard, event).await?;
            }
        }
        Ok(())
    }

    async fn put_heard(
        &self,
        user: UserSn,
        heard: &HeardReceipt,
        event: &StoredEvent,
    ) -> Result<(), StorageError> {
        let _turn = self.turn(user).await;
        let thread = heard.thread.as_str();
        let known = self.store.receipts_of_room(event.room).await?.of(user);
        let known = known.iter().find(|known| known.receipt_type == "m.read" && known.thread == thread);
        if known.is_some_and(|known| known.event_position >= event.position) {
            return Ok(());
        }
        let mut set = WriteSet::new();
        set.put_receipt(&NewReceipt {
            room: event.room,
            user,
            user_id: &heard.user_id,
            receipt_type: "m.read",
            thread,
            event_id: &heard.event_id,
            event_position: event.position,
            ts: heard.ts,
        });
        match self.store.commit(set).await.map_err(ReceiptError::from) {
            Ok(_) => Ok(()),
            Err(ReceiptError::Storage(error)) => Err(error),
            Err(other) => Err(StorageError::Corrupt(other.to_string())),
        }
    }
}
