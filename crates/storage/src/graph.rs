//! The graph of a room beyond what an event's own row says: the edges of authorisation, the holes in its history,
//! and redactions that wait for what they redact.

use ruma::{EventId, OwnedEventId};

use crate::{
    EventSn, Place, RoomSn, TypeSn, error::StorageError, numbers::unpack, statement::statements,
    store::Store, value::Value, write_set::WriteSet,
};

statements! {
    AUTH_EDGES =
        "SELECT state_index, event_sn, type_sn, auth FROM events WHERE room_sn = $1 AND state_index >= $2
         ORDER BY state_index";
    ADD_MISSING_EVENT(rows of 3, key 2) =
        "INSERT INTO missing_events (room_sn, event_id, place) VALUES {rows} ON CONFLICT DO NOTHING";
    FOUND_EVENT = "DELETE FROM missing_events WHERE room_sn = $1 AND event_id = $2";
    IS_MISSING = "SELECT place FROM missing_events WHERE room_sn = $1 AND event_id = $2";
    HAS_MISSING_EVENTS = "SELECT 1 FROM missing_events WHERE room_sn = $1 LIMIT 1";
    MISSING_EVENTS =
        "SELECT event_id, place FROM missing_events WHERE room_sn = $1 AND place > $2 AND place <= $3
         ORDER BY place DESC, event_id LIMIT $4";
    ADD_WAITING_REDACTION(rows of 3, key 2) =
        "INSERT INTO waiting_redactions (target_id, redaction_sn, room_sn) VALUES {rows}
         ON CONFLICT DO NOTHING";
    END_WAITING_REDACTIONS = "DELETE FROM waiting_redactions WHERE target_id = $1";
    WAITING_REDACTIONS(list after 1) =
        "SELECT target_id, redaction_sn FROM waiting_redactions WHERE room_sn = $1 AND target_id IN ({list})";
}

/// A state event in the graph of authorisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthEdges {
    /// Its dense number among the room's state events.
    pub state_index: i64,
    /// The event.
    pub event: EventSn,
    /// Its type.
    pub kind: TypeSn,
    /// The events that authorise it.
    pub auth: Vec<EventSn>,
}

/// An event that others follow and that is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingEvent {
    /// Its id.
    pub event_id: OwnedEventId,
    /// The place of the event that follows it.
    pub place: Place,
}

impl WriteSet {
    /// Notes events that the one that was just added follows, and that are not here. Call it right after
    /// [`add_event`](Self::add_event): the hole lies below that event's place.
    pub fn add_missing_events(&mut self, room: RoomSn, event_ids: &[OwnedEventId]) {
        let place = Value::Place(self.next_change().saturating_sub(1));
        for event_id in event_ids {
            self.write(&ADD_MISSING_EVENT, vec![room.into(), event_id.as_str().into(), place.clone()]);
            self.holes.push(room);
        }
    }

    /// As [`add_missing_events`](Self::add_missing_events), below an event that was fetched from the past.
    pub fn add_missing_past_events(&mut self, room: RoomSn, event_ids: &[OwnedEventId], place: Place) {
        for event_id in event_ids {
            self.write(&ADD_MISSING_EVENT, vec![room.into(), event_id.as_str().into(), place.0.into()]);
            self.holes.push(room);
        }
    }

    /// Notes that an event is missing no more, or is not to be asked for again.
    pub fn found_missing_event(&mut self, room: RoomSn, event_id: &EventId) {
        self.write(&FOUND_EVENT, vec![room.into(), event_id.as_str().into()]);
        self.holes.push(room);
    }

    /// Lets a redaction wait for its target.
    pub fn add_waiting_redaction(&mut self, room: RoomSn, target: &EventId, redaction: EventSn) {
        self.write(&ADD_WAITING_REDACTION, vec![target.as_str().into(), redaction.into(), room.into()]);
    }

    /// Notes that the target of redactions has come.
    pub fn end_waiting_redactions(&mut self, target: &EventId) {
        self.write(&END_WAITING_REDACTIONS, vec![target.as_str().into()]);
    }
}

impl Store {
    /// The state events of a room from a state index on, with what authorises them.
    pub async fn auth_edges(&self, room: RoomSn, from: i64) -> Result<Vec<AuthEdges>, StorageError> {
        let rows = self.engine.fetch(&AUTH_EDGES, vec![room.into(), from.into()]).await?;
        let edges = rows.iter().map(|row| {
            Ok(AuthEdges {
                state_index: row.int(0)?,
                event: EventSn(row.int(1)?),
                kind: TypeSn(row.int(2)?),
                auth: unpack(&row.bytes(3)?),
            })
        });
        edges.collect()
    }

    /// The holes in a room's history right below the events between two places (`after` excluded, `until`
    /// included), newest first. Most rooms have none, which memory knows of those that were asked about lately.
    pub async fn missing_events(
        &self,
        room: RoomSn,
        after: Place,
        until: Place,
        limit: usize,
    ) -> Result<Vec<MissingEvent>, StorageError> {
        if !self.has_missing_events(room).await? {
            return Ok(Vec::new());
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![room.into(), after.0.into(), until.0.into(), limit.into()];
        let rows = self.engine.fetch(&MISSING_EVENTS, values).await?;
        let corrupt = |_| StorageError::Corrupt("an event id".to_owned());
        let missing = rows.iter().map(|row| {
            let event_id = OwnedEventId::try_from(row.text(0)?).map_err(corrupt)?;
            Ok(MissingEvent { event_id, place: Place(row.int(1)?) })
        });
        missing.collect()
    }

    /// Whether there is a hole anywhere in a room's history.
    async fn has_missing_events(&self, room: RoomSn) -> Result<bool, StorageError> {
        if let Some(known) = self.shared.holes.get(room) {
            return Ok(known);
        }
        let generation = self.shared.holes.generation();
        let found = self.engine.fetch_one(&HAS_MISSING_EVENTS, vec![room.into()]).await?.is_some();
        self.shared.holes.keep(room, found, generation);
        Ok(found)
    }

    /// Whether an event that is here follows this one, which was not here when it came.
    pub async fn is_missing(&self, room: RoomSn, event_id: &EventId) -> Result<bool, StorageError> {
        let values = vec![room.into(), event_id.as_str().into()];
        Ok(self.engine.fetch_one(&IS_MISSING, values).await?.is_some())
    }

    /// The redactions of a room that wait for these events.
    pub async fn waiting_redactions(
        &self,
        room: RoomSn,
        targets: &[&EventId],
    ) -> Result<Vec<(OwnedEventId, EventSn)>, StorageError> {
        let list = targets.iter().map(|target| target.as_str());
        let rows = self.engine.fetch_list(&WAITING_REDACTIONS, vec![room.into()], list).await?;
        let corrupt = |_| StorageError::Corrupt("an event id".to_owned());
        let waiting = rows
            .iter()
            .map(|row| Ok((OwnedEventId::try_from(row.text(0)?).map_err(corrupt)?, EventSn(row.int(1)?))));
        waiting.collect()
    }
}
