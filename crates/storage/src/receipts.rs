//! Read receipts: how far each user has read each room and thread.
//!
//! The receipts of a room are kept in memory together and changed with each commit: they move with every
//! message that is read, and everybody in the room is told.

use std::sync::Arc;

use ruma::{OwnedEventId, OwnedUserId};

use crate::{
    changes::Change,
    error::StorageError,
    model::{Receipt, ReceiptChange, RoomReceipts},
    numbers::{Position, RoomSn, UserSn},
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
        FROM receipts r JOIN users u ON u.user_sn = r.user_sn WHERE r.room_sn = $1";
    PUBLIC_RECEIPTS_BETWEEN =
        "SELECT room_sn, user_sn, position FROM receipts
         WHERE position > $1 AND position <= $2 AND receipt_type = 'm.read' ORDER BY position";
    ROOMS_WITH_RECEIPTS(list after 1) =
        "SELECT DISTINCT room_sn FROM receipts WHERE position > $1 AND room_sn IN ({list})";
}

/// A receipt to be written.
#[derive(Clone, Debug)]
pub struct NewReceipt<'a> {
    /// The room.
    pub room: RoomSn,
    /// Who read.
    pub user: UserSn,
    /// Who read, by id.
    pub user_id: &'a ruma::UserId,
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
        self.receipts.push(ReceiptChange {
            room: receipt.room,
            change: self.next_change(),
            receipt: Receipt {
                user: receipt.user,
                user_id: receipt.user_id.to_owned(),
                receipt_type: receipt.receipt_type.to_owned(),
                thread: receipt.thread.to_owned(),
                event_id: receipt.event_id.to_owned(),
                event_position: receipt.event_position,
                ts: receipt.ts,
                position: Position::START,
            },
        });
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
    /// The receipts of a room.
    pub async fn receipts_of_room(&self, room: RoomSn) -> Result<Arc<RoomReceipts>, StorageError> {
        let cache = &self.shared.receipts;
        if let Some(receipts) = cache.get(room) {
            return Ok(receipts);
        }
        let generation = cache.generation();
        let rows = self.engine.fetch(&RECEIPTS_OF_ROOM, vec![room.into()]).await?;
        let receipts = Arc::new(rows.iter().map(from_row).collect::<Result<RoomReceipts, _>>()?);
        cache.keep(room, &receipts, generation);
        Ok(receipts)
    }

    /// The rooms and users of the public receipts that moved last between two positions (`after` excluded, `until`
    /// included), in order: for readers whose cursor lies before what memory holds.
    pub async fn public_receipts_between(
        &self,
        after: Position,
        until: Position,
    ) -> Result<Vec<(Position, RoomSn, UserSn)>, StorageError> {
        let rows = self.engine.fetch(&PUBLIC_RECEIPTS_BETWEEN, vec![after.into(), until.into()]).await?;
        let receipt = |row: &Row| Ok((Position(row.int(2)?), RoomSn(row.int(0)?), UserSn(row.int(1)?)));
        rows.iter().map(receipt).collect()
    }

    /// Those of these rooms in which a receipt moved after a position.
    pub async fn rooms_with_receipts(
        &self,
        rooms: &[RoomSn],
        after: Position,
    ) -> Result<Vec<RoomSn>, StorageError> {
        let list = rooms.iter().copied();
        let rows = self.engine.fetch_list(&ROOMS_WITH_RECEIPTS, vec![after.into()], list).await?;
        rows.iter().map(|row| row.int(0).map(RoomSn)).collect()
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
