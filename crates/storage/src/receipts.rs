//! Read receipts: how far each user has read each room and thread.

use ruma::{OwnedEventId, OwnedUserId};

use crate::{
    Position, RoomSn, UserSn,
    changes::Change,
    error::StorageError,
    statement::statements,
    store::Store,
    value::Row,
    write_set::{PendingChange, WriteSet},
};

statements! {
    PUT_RECEIPT(rows of 8, key 4) =
        "INSERT INTO receipts (room_sn, user_sn, receipt_type, thread, event_id, event_position, ts, position)
         VALUES {rows}
         ON CONFLICT (room_sn, user_sn, receipt_type, thread) DO UPDATE SET event_id = excluded.event_id,
             event_position = excluded.event_position, ts = excluded.ts, position = excluded.position";
    RECEIPTS_OF_ROOM = "SELECT r.user_sn, u.user_id, r.receipt_type, r.thread, r.event_id, r.event_position, r.ts, r.position
        FROM receipts r JOIN users u ON u.user_sn = r.user_sn
        WHERE r.room_sn = $1 AND r.position > $2 AND r.position <= $3 ORDER BY r.position";
    RECEIPTS_OF_USER = "SELECT r.user_sn, u.user_id, r.receipt_type, r.thread, r.event_id, r.event_position, r.ts, r.position
        FROM receipts r JOIN users u ON u.user_sn = r.user_sn
        WHERE r.room_sn = $1 AND r.user_sn = $2 ORDER BY r.position";
}

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

/// A receipt to be written.
#[derive(Clone, Debug)]
pub struct NewReceipt<'a> {
    /// The room.
    pub room: RoomSn,
    /// Who read.
    pub user: UserSn,
    /// `m.read` or `m.read.private`.
    pub receipt_type: &'a str,
    /// The thread: empty for an unthreaded receipt, `main`, or the id of the thread's root.
    pub thread: &'a str,
    /// Up to which event.
    pub event_id: &'a ruma::EventId,
    /// Where that event is in the stream.
    pub event_position: Position,
    /// When, in milliseconds since the epoch.
    pub ts: i64,
}

impl WriteSet {
    /// Moves a receipt.
    pub fn put_receipt(&mut self, receipt: &NewReceipt<'_>) {
        let private = receipt.receipt_type == "m.read.private";
        let change = Change::Receipt { room: receipt.room, user: receipt.user, private };
        let position = self.announce(PendingChange::Other(change));
        let row = vec![
            receipt.room.into(),
            receipt.user.into(),
            receipt.receipt_type.into(),
            receipt.thread.into(),
            receipt.event_id.as_str().into(),
            receipt.event_position.into(),
            receipt.ts.into(),
            position,
        ];
        self.write(&PUT_RECEIPT, row);
    }
}

impl Store {
    /// The receipts of a room that moved after one position, up to another, in order.
    pub async fn receipts_between(
        &self,
        room: RoomSn,
        after: Position,
        until: Position,
    ) -> Result<Vec<Receipt>, StorageError> {
        let rows =
            self.engine.fetch(&RECEIPTS_OF_ROOM, vec![room.into(), after.into(), until.into()]).await?;
        rows.iter().map(from_row).collect()
    }

    /// A user's own receipts in a room, of all types and threads.
    pub async fn receipts_of(&self, room: RoomSn, user: UserSn) -> Result<Vec<Receipt>, StorageError> {
        let rows = self.engine.fetch(&RECEIPTS_OF_USER, vec![room.into(), user.into()]).await?;
        rows.iter().map(from_row).collect()
    }
}

fn from_row(row: &Row) -> Result<Receipt, StorageError> {
    let corrupt = || StorageError::Corrupt("a receipt".to_owned());
    Ok(Receipt {
        user: UserSn(row.int(0)?),
        user_id: OwnedUserId::try_from(row.text(1)?).map_err(|_| corrupt())?,
        receipt_type: row.text(2)?,
        thread: row.text(3)?,
        event_id: OwnedEventId::try_from(row.text(4)?).map_err(|_| corrupt())?,
        event_position: Position(row.int(5)?),
        ts: row.int(6)?,
        position: Position(row.int(7)?),
    })
}
