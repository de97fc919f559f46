//! How far users have read, as readers hold it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
};

use ruma::{OwnedEventId, OwnedUserId};

use crate::numbers::{Position, RoomSn, UserSn};

/// How far a user has read, in a room or in one of its threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Who read.
    pub user: UserSn,
    /// Who read, by id.
    pub user_id: OwnedUserId,
    /// `m.read` or `m.read.private`.
    pub receipt_type: String,
    /// The thread: empty for an unthreaded receipt, `main`, or the id of the thread's root.
    pub thread: String,
    /// Up to which event.
    pub event_id: OwnedEventId,
    /// Where that event is in the stream.
    pub event_position: Position,
    /// When, in milliseconds since the epoch.
    pub ts: i64,
    /// Where the receipt itself is in the stream.
    pub position: Position,
}

/// The receipts of a room. Shared, and kept up to date as commits happen.
#[derive(Debug, Default)]
pub struct RoomReceipts(RwLock<Filed>);

#[derive(Debug, Default)]
struct Filed {
    by_user: HashMap<UserSn, Vec<Arc<Receipt>>>,
    by_position: BTreeMap<Position, Arc<Receipt>>,
}

impl FromIterator<Receipt> for RoomReceipts {
    fn from_iter<T: IntoIterator<Item = Receipt>>(receipts: T) -> Self {
        let mut filed = Filed::default();
        receipts.into_iter().for_each(|receipt| filed.put(receipt));
        Self(RwLock::new(filed))
    }
}

impl RoomReceipts {
    /// The receipts that moved after one position, up to another, in order.
    pub fn between(&self, after: Position, until: Position) -> Vec<Arc<Receipt>> {
        if after >= until {
            return Vec::new();
        }
        let filed = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let after = Position(after.0.saturating_add(1));
        filed.by_position.range(after..=until).map(|(_, receipt)| Arc::clone(receipt)).collect()
    }

    /// A user's own receipts, of all types and threads.
    pub fn of(&self, user: UserSn) -> Vec<Arc<Receipt>> {
        let filed = self.0.read().unwrap_or_else(PoisonError::into_inner);
        filed.by_user.get(&user).cloned().unwrap_or_default()
    }

    pub(crate) fn put(&self, receipt: Receipt) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).put(receipt);
    }

    pub(crate) fn weight(&self) -> u32 {
        let filed = self.0.read().unwrap_or_else(PoisonError::into_inner);
        u32::try_from(filed.by_position.len() * 300 + 100).unwrap_or(u32::MAX)
    }
}

impl Filed {
    fn put(&mut self, receipt: Receipt) {
        let receipt = Arc::new(receipt);
        let own = self.by_user.entry(receipt.user).or_default();
        let same = |other: &Arc<Receipt>| {
            other.receipt_type == receipt.receipt_type && other.thread == receipt.thread
        };
        if let Some(earlier) = own.iter().position(same) {
            self.by_position.remove(&own[earlier].position);
            own[earlier] = Arc::clone(&receipt);
        } else {
            own.push(Arc::clone(&receipt));
        }
        self.by_position.insert(receipt.position, receipt);
    }
}

/// A receipt that a write set moves, for the cache. Its position is that of the set's change of this index.
#[derive(Clone, Debug)]
pub(crate) struct ReceiptChange {
    pub(crate) room: RoomSn,
    pub(crate) change: u32,
    pub(crate) receipt: Receipt,
}
