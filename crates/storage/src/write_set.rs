//! The write set: everything that one operation writes, with the guards under which it may be written.
//!
//! An operation fills a set and hands it to [`Store::commit`](crate::Store::commit) as its last step. Either
//! all of it becomes durable, in one transaction with the sets of others, or nothing. The modules that own a
//! table add methods here (`impl WriteSet`) that put rows into it; the writer only knows rows.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    changes::{Announced, Change},
    error::StorageError,
    model::{AccountDataChange, MemberChange, NewEvent, ReceiptChange, RoomHead},
    numbers::{DeviceSn, EventSn, Position, RoomSn, Slot, TypeSn},
    state_tree::{Node, NodeHash},
    statement::Statement,
    value::{Row, Value},
};

/// What one operation writes. See the module's documentation.
#[derive(Default)]
pub struct WriteSet {
    pub(crate) guards: Vec<Guard>,
    pub(crate) transaction: Option<TransactionGuard>,
    pub(crate) room: Option<RoomWrite>,
    pub(crate) writes: Vec<Write>,
    pub(crate) changes: Vec<PendingChange>,
    pub(crate) nodes: Vec<(NodeHash, Arc<Node>)>,
    /// Events whose stored JSON this set changes: what memory holds of them is stale.
    pub(crate) rewritten: Vec<EventSn>,
    /// Slots that this set gives, for the cache.
    pub(crate) slots: Vec<(RoomSn, TypeSn, Box<str>, Slot)>,
    /// Memberships that this set changes, for the cache.
    pub(crate) members: Vec<MemberChange>,
    /// Account data that this set changes, for the cache.
    pub(crate) account_data: Vec<AccountDataChange>,
    /// Receipts that this set moves, for the cache.
    pub(crate) receipts: Vec<ReceiptChange>,
    /// Devices whose keys or messages this set changes, for the cache.
    pub(crate) touched_devices: Vec<DeviceSn>,
    /// The rooms in whose history this set notes or fills holes, for the cache.
    pub(crate) holes: Vec<RoomSn>,
    /// Whether this set leaves something for the search to look at anew.
    pub(crate) search_is_pending: bool,
}

/// One row for a multi-row insert, or one statement to run by itself.
pub(crate) struct Write {
    pub(crate) statement: &'static Statement,
    pub(crate) values: Vec<Value>,
    /// Where the rows go that the statement gives, if anybody wants them.
    pub(crate) returned: Option<Returned>,
}

/// Rows that a statement of a set gave. They may be looked at once the set is durable.
#[derive(Clone, Default)]
pub(crate) struct Returned(Arc<Mutex<Vec<Row>>>);

impl Returned {
    /// Puts rows in place of those of an earlier attempt.
    pub(crate) fn put(&self, rows: Vec<Row>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = rows;
    }

    /// Reads the first row, if there is one.
    pub(crate) fn first<T>(
        &self,
        read: impl FnOnce(&Row) -> Result<T, StorageError>,
    ) -> Result<Option<T>, StorageError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).first().map(read).transpose()
    }
}

impl std::fmt::Debug for Returned {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Returned")
    }
}

/// A condition that must hold when the set is written.
pub(crate) struct Guard {
    /// What the caller is told if it does not hold.
    pub(crate) name: &'static str,
    pub(crate) statement: &'static Statement,
    pub(crate) values: Vec<Value>,
    /// Whether the statement must find a row, or must find none.
    pub(crate) finds: bool,
}

/// The (device, endpoint, transaction id) that a client sent. No two events have the same one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TransactionKey {
    /// The device that sent the request.
    pub device: DeviceSn,
    /// The endpoint with its path parameters, as the specification scopes transaction ids.
    pub scope: String,
    /// The client's transaction id.
    pub transaction_id: String,
}

impl TransactionKey {
    /// What the key is stored and found under: 16 bytes of a hash over its parts.
    pub fn hash(&self) -> Vec<u8> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.device.0.to_le_bytes());
        hasher.update(&self.scope.len().to_le_bytes());
        hasher.update(self.scope.as_bytes());
        hasher.update(self.transaction_id.as_bytes());
        hasher.finalize().as_bytes()[..16].to_vec()
    }
}

pub(crate) struct TransactionGuard {
    pub(crate) key: TransactionKey,
    pub(crate) event: EventSn,
    pub(crate) created_ts: i64,
}

/// A room's next head, and the version of the head that it follows.
pub(crate) struct RoomWrite {
    pub(crate) room: RoomSn,
    /// The version that the room's head must have; `None` for a room that is made by this set.
    pub(crate) expected: Option<i64>,
    pub(crate) head: RoomHead,
}

/// A change that readers will be told, once it has a position.
pub(crate) enum PendingChange {
    Event(Box<NewEvent>),
    Other(Change),
}

impl WriteSet {
    /// A set that writes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.room.is_none()
    }

    /// Demands that the room's head still has this version, and gives it its next head.
    pub fn move_room(&mut self, expected: Option<i64>, head: RoomHead) {
        self.room = Some(RoomWrite { room: head.room, expected, head });
    }

    /// Demands that this device has not used the transaction id, and remembers it with the event it made.
    pub fn use_transaction(&mut self, key: TransactionKey, event: EventSn, created_ts: i64) {
        self.transaction = Some(TransactionGuard { key, event, created_ts });
    }

    pub(crate) fn write(&mut self, statement: &'static Statement, values: Vec<Value>) {
        self.writes.push(Write { statement, values, returned: None });
    }

    /// Writes with a statement that is run by itself, and gives the rows that it will have returned.
    pub(crate) fn write_returning(&mut self, statement: &'static Statement, values: Vec<Value>) -> Returned {
        let returned = Returned::default();
        self.writes.push(Write { statement, values, returned: Some(returned.clone()) });
        returned
    }

    /// Demands that the statement finds no row.
    pub(crate) fn demand_absent(
        &mut self,
        name: &'static str,
        statement: &'static Statement,
        values: Vec<Value>,
    ) {
        self.guards.push(Guard { name, statement, values, finds: false });
    }

    /// Demands that the statement finds a row.
    pub(crate) fn demand_present(
        &mut self,
        name: &'static str,
        statement: &'static Statement,
        values: Vec<Value>,
    ) {
        self.guards.push(Guard { name, statement, values, finds: true });
    }

    /// Notes a change that readers are told; gives the value that stands for its position.
    pub(crate) fn announce(&mut self, change: PendingChange) -> Value {
        let index = self.next_change();
        self.changes.push(change);
        Value::Position(index)
    }

    /// The index that the next change gets.
    pub(crate) fn next_change(&self) -> u32 {
        u32::try_from(self.changes.len()).unwrap_or(u32::MAX)
    }

    /// The set's changes with their positions, once the set is written; the first stands after `first`.
    pub(crate) fn announced(&self, first: Position) -> impl Iterator<Item = Announced> {
        self.changes.iter().zip(first.0 + 1..).map(|(change, position)| Announced {
            position: Position(position),
            change: match change {
                PendingChange::Event(event) => event.as_change(),
                PendingChange::Other(change) => change.clone(),
            },
        })
    }
}
