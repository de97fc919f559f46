//! What is told at once, before and after it is put into words. Plain types.

use bytes::Bytes;
use parvis_storage::{EventSn, Position, RoomSn, UserSn};
use ruma::api::federation::transactions::edu::PresenceUpdate;

/// The most events in a transaction.
pub(crate) const MOST_EVENTS: usize = 50;
/// The most EDUs in a transaction.
pub(crate) const MOST_EDUS: usize = 100;

/// What the next transaction carries.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Events, oldest first.
    pub(crate) events: Vec<(Position, EventSn)>,
    /// Whose receipts moved where, and from which position on.
    pub(crate) receipts: Vec<(RoomSn, UserSn, Position)>,
    /// Who types where, or does not any more.
    pub(crate) typing: Vec<(RoomSn, UserSn, bool)>,
    /// Who is there.
    pub(crate) presence: Vec<PresenceUpdate>,
    /// Whether something was put down in the store.
    pub(crate) stored_edus: bool,
}

/// What is told at once. It may be told again as it is, under the same id, until it has arrived.
#[derive(Debug)]
pub(crate) struct Transaction {
    /// Its id: unique for all times.
    pub(crate) id: String,
    /// The body of the request.
    pub(crate) body: Bytes,
    /// The position of its last event, if it has any.
    pub(crate) last_event: Option<Position>,
    /// The position of the last EDU in it that was put down in the store, if it has any.
    pub(crate) last_stored_edu: Option<Position>,
    /// Whether more is put down than it carries.
    pub(crate) leaves_stored_edus: bool,
    /// Whether it says nothing at all.
    pub(crate) is_empty: bool,
}
