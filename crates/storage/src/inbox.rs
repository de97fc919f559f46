//! The inbox: events that other servers have sent and that were verified and answered, but not yet judged.

use ruma::{EventId, OwnedEventId, OwnedServerName, ServerName};

use crate::{
    RoomSn, error::StorageError, statement::statements, store::Store, value::Row, write_set::WriteSet,
};

statements! {
    ADD_TO_INBOX(rows of 6, key 1) =
        "INSERT INTO inbox (event_id, number, room_sn, origin, json, received_ts) VALUES {rows}
         ON CONFLICT DO NOTHING";
    TAKE_FROM_INBOX = "DELETE FROM inbox WHERE event_id = $1";
    INBOX_OF_ROOM =
        "SELECT event_id, number, origin, json FROM inbox WHERE room_sn = $1 AND number > $2
         ORDER BY number LIMIT $3";
    IN_INBOX(list after 1) =
        "SELECT event_id, number, origin, json FROM inbox WHERE room_sn = $1 AND event_id IN ({list})";
    ROOMS_WITH_INBOX = "SELECT DISTINCT room_sn FROM inbox";
    COUNT_INBOX =
        "SELECT COUNT(*), COUNT(CASE WHEN origin = $2 THEN 1 END) FROM inbox WHERE room_sn = $1";
}

/// An event in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxEvent {
    /// Its id.
    pub event_id: OwnedEventId,
    /// Orders the inbox of a room, by arrival.
    pub number: i64,
    /// Who sent it.
    pub origin: OwnedServerName,
    /// The event in federation format. Its signatures and its hash were checked.
    pub json: String,
}

impl WriteSet {
    /// Puts a verified event into the inbox of its room, unless it lies there already.
    pub fn add_to_inbox(&mut self, room: RoomSn, event: &InboxEvent, received_ts: i64) {
        let row = vec![
            event.event_id.as_str().into(),
            event.number.into(),
            room.into(),
            event.origin.as_str().into(),
            event.json.as_str().into(),
            received_ts.into(),
        ];
        self.write(&ADD_TO_INBOX, row);
    }

    /// Takes an event out of the inbox.
    pub fn take_from_inbox(&mut self, event_id: &EventId) {
        self.write(&TAKE_FROM_INBOX, vec![event_id.as_str().into()]);
    }
}

impl Store {
    /// The events in the inbox of a room behind a number, oldest first.
    pub async fn inbox(
        &self,
        room: RoomSn,
        after: i64,
        limit: usize,
    ) -> Result<Vec<InboxEvent>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.engine.fetch(&INBOX_OF_ROOM, vec![room.into(), after.into(), limit.into()]).await?;
        rows.iter().map(from_row).collect()
    }

    /// Those of these events that lie in the inbox of a room.
    pub async fn in_inbox(
        &self,
        room: RoomSn,
        event_ids: &[&EventId],
    ) -> Result<Vec<InboxEvent>, StorageError> {
        let list = event_ids.iter().map(|event_id| event_id.as_str());
        let rows = self.engine.fetch_list(&IN_INBOX, vec![room.into()], list).await?;
        rows.iter().map(from_row).collect()
    }

    /// The rooms whose inboxes are not empty.
    pub async fn rooms_with_inbox(&self) -> Result<Vec<RoomSn>, StorageError> {
        let rows = self.engine.fetch(&ROOMS_WITH_INBOX, Vec::new()).await?;
        rows.iter().map(|row| row.int(0).map(RoomSn)).collect()
    }

    /// How many events lie in the inbox of a room, and how many of them are from one server.
    pub async fn inbox_counts(
        &self,
        room: RoomSn,
        origin: &ServerName,
    ) -> Result<(usize, usize), StorageError> {
        let values = vec![room.into(), origin.as_str().into()];
        let Some(row) = self.engine.fetch_one(&COUNT_INBOX, values).await? else { return Ok((0, 0)) };
        let count = |column| Ok::<_, StorageError>(usize::try_from(row.int(column)?).unwrap_or(usize::MAX));
        Ok((count(0)?, count(1)?))
    }
}

fn from_row(row: &Row) -> Result<InboxEvent, StorageError> {
    let corrupt = |what: &str| StorageError::Corrupt(format!("the {what} of an event in the inbox"));
    Ok(InboxEvent {
        event_id: OwnedEventId::try_from(row.text(0)?).map_err(|_| corrupt("id"))?,
        number: row.int(1)?,
        origin: OwnedServerName::try_from(row.text(2)?).map_err(|_| corrupt("origin"))?,
        json: row.text(3)?,
    })
}
