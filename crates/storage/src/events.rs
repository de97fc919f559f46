//! Events: stored once, read in batches, shared by everybody who needs them.

use std::{collections::HashMap, sync::Arc};

use parvis_events::{Pdu, RoomVersion};
use ruma::{EventId, OwnedEventId, OwnedRoomId};

use crate::{
    DeviceSn, EventSn, Place, Position, RoomSn, Slot, UserSn,
    error::StorageError,
    model::{EventFlags, NewEvent, StoredEvent},
    numbers::{pack, unpack},
    state_tree::StateRoot,
    statement::{Statement, statements},
    store::Store,
    value::{Row as StoredRow, Value},
    write_set::{PendingChange, TransactionKey, WriteSet},
};

/// The columns of an event as it is read, to keep the readers in step.
macro_rules! event_columns {
    () => {
        "e.event_sn, e.event_id, e.room_sn, r.room_id, r.version, e.sender_sn, e.slot, e.position, e.flags,
         e.state_root, e.room_root, e.prev, e.auth, e.redacted_by, j.json, t.device_sn, t.transaction_id,
         e.place
         FROM events e
         JOIN event_json j ON j.event_sn = e.event_sn
         JOIN rooms r ON r.room_sn = e.room_sn
         LEFT JOIN transactions t ON t.event_sn = e.event_sn"
    };
}

/// The numbers of the first events in an order, in one row; they do not stand there in that order.
macro_rules! numbers_of {
    ($condition:literal, $order:literal, $limit:literal) => {
        concat!(
            "SELECT string_agg(CAST(event_sn AS TEXT), ',') FROM (SELECT event_sn FROM events ",
            $condition,
            " ORDER BY ",
            $order,
            " ",
            $limit,
            ") AS page"
        )
    };
}

statements! {
    ADD_EVENT(rows of 16, key 1) =
        "INSERT INTO events (event_sn, event_id, room_sn, type_sn, sender_sn, slot, state_index, depth,
             origin_server_ts, position, place, flags, state_root, room_root, prev, auth)
         VALUES {rows}";
    PROMOTE_EVENT =
        "UPDATE events SET position = $2, place = $3, flags = $4, state_root = $5, room_root = $6, prev = $7,
             auth = $8
         WHERE event_sn = $1";
    ADD_JSON(rows of 2, key 1) = "INSERT INTO event_json (event_sn, json) VALUES {rows}";
    ADD_RELATION(rows of 5, key 2) =
        "INSERT INTO relations (target_id, event_sn, room_sn, relation_type, place) VALUES {rows}
         ON CONFLICT DO NOTHING";
    SET_REDACTED = "UPDATE events SET redacted_by = $2 WHERE event_sn = $1";
    SET_FLAGS = "UPDATE events SET flags = $2 WHERE event_sn = $1";
    SET_AUTH = "UPDATE events SET auth = $2 WHERE event_sn = $1";
    SET_JSON = "UPDATE event_json SET json = $2 WHERE event_sn = $1";
    REMOVE_RELATIONS_OF = "DELETE FROM relations WHERE event_sn = $1";
    EVENTS_BY_SN(list after 0) = concat!("SELECT ", event_columns!(), " WHERE e.event_sn IN ({list})");
    EVENTS_BY_ID(list after 0) = "SELECT event_id, event_sn FROM events WHERE event_id IN ({list})";
    TIMELINE_AFTER = numbers_of!(
        "WHERE room_sn = $1 AND position > $2 AND position <= $3",
        "position",
        "LIMIT $4"
    );
    TIMELINE_BEFORE = numbers_of!(
        "WHERE room_sn = $1 AND position <= $2 AND position > $3",
        "position DESC",
        "LIMIT $4"
    );
    HISTORY_AFTER = numbers_of!(
        "WHERE room_sn = $1 AND place > $2 AND place <= $3",
        "place",
        "LIMIT $4"
    );
    HISTORY_BEFORE = numbers_of!(
        "WHERE room_sn = $1 AND place <= $2 AND place > $3",
        "place DESC",
        "LIMIT $4"
    );
    ROOM_ROOT_AT =
        "SELECT room_root FROM events WHERE room_sn = $1 AND position <= $2 ORDER BY position DESC LIMIT 1";
    FIRST_ROOM_ROOTS =
        "SELECT room_root FROM events WHERE room_sn = $1 AND position > $2 ORDER BY position LIMIT $3";
    CHANGED_EVENTS =
        "SELECT event_sn, room_sn, position FROM events WHERE position > $1 AND position <= $2
         ORDER BY position LIMIT $3";
    RELATIONS_OF(list after 0) =
        "SELECT r.target_id, r.relation_type, r.event_sn, r.place FROM relations r
         WHERE r.target_id IN ({list}) ORDER BY r.place";
    TRANSACTION = "SELECT event_sn FROM transactions WHERE key = $1";
    THREADS_OF_ROOM =
        "SELECT target_id, MAX(place) AS latest FROM relations
         WHERE room_sn = $1 AND relation_type = 'm.thread'
         GROUP BY target_id HAVING MAX(place) < $2 ORDER BY latest DESC LIMIT $3";
    EVENT_NEAR_TS_FORWARD =
        "SELECT event_sn FROM events WHERE room_sn = $1 AND origin_server_ts >= $2 AND place IS NOT NULL
         ORDER BY origin_server_ts, place LIMIT 1";
    EVENT_NEAR_TS_BACKWARD =
        "SELECT event_sn FROM events WHERE room_sn = $1 AND origin_server_ts <= $2 AND place IS NOT NULL
         ORDER BY origin_server_ts DESC, place DESC LIMIT 1";
}

/// A child of an event, by `m.relates_to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The event that the child relates to.
    pub target: OwnedEventId,
    /// The relation type, such as `m.thread`.
    pub relation_type: String,
    /// The child.
    pub event: EventSn,
    /// Where the child stands in the room's history.
    pub place: Place,
}

/// The root of a thread, and where its newest reply is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadRoot {
    /// The root event.
    pub root: OwnedEventId,
    /// The place of the newest reply.
    pub latest: Place,
}

/// Which end of a range of the timeline is wanted when it does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Forward,
    /// Newest first.
    Backward,
}

impl WriteSet {
    /// Adds an event. Unless it is an outlier, rejected or soft-failed it gets a position and is announced.
    /// What it relates to is remembered from its content.
    pub fn add_event(&mut self, event: NewEvent) {
        self.write_event(event, None, Writing::New);
    }

    /// Adds an event that was fetched from the past of its room: it gets a place there, and is no news.
    pub fn add_past_event(&mut self, event: NewEvent, place: Place) {
        self.write_event(event, Some(place), Writing::New);
    }

    /// Makes an ordinary event of one that is stored as an outlier: its flags, its roots, what it follows and
    /// where it stands become those that are given. All else stays.
    pub fn promote_event(&mut self, event: NewEvent) {
        self.write_event(event, None, Writing::Stored);
    }

    /// As [`promote_event`](Self::promote_event), for one that is from the past of its room.
    pub fn promote_past_event(&mut self, event: NewEvent, place: Place) {
        self.write_event(event, Some(place), Writing::Stored);
    }

    fn write_event(&mut self, event: NewEvent, past: Option<Place>, row: Writing) {
        let change = self.next_change();
        let (position, place) = match (event.flags.is_shown(), past) {
            (false, _) => (Value::NO_INT, Value::NO_INT),
            (true, Some(place)) => (Value::NO_INT, place.into()),
            (true, None) => (Value::Position(change), Value::Place(change)),
        };
        let (sn, room, pdu, shown) = (event.sn, event.room, event.pdu.clone(), event.flags.is_shown());
        match row {
            Writing::New => {
                self.write(&ADD_EVENT, event_row(&event, position, place.clone()));
                self.write(&ADD_JSON, vec![sn.into(), pdu.json().into()]);
            }
            Writing::Stored => {
                let (state_root, room_root) = (event.state_root.0.as_slice(), event.room_root.0.as_slice());
                let prev = pack(&event.prev).into();
                let (flags, auth) = (event.flags.0.into(), pack(&event.auth).into());
                let roots = [state_root.into(), room_root.into()];
                let mut row = vec![sn.into(), position, place.clone(), flags];
                row.extend(roots.into_iter().chain([prev, auth]));
                self.write(&PROMOTE_EVENT, row);
            }
        }
        if past.is_some() || row == Writing::Stored {
            self.rewritten.push(sn);
        }
        self.add_relationship(sn, room, event.flags, &pdu);
        if !shown {
            return;
        }
        match past {
            None => drop(self.announce(PendingChange::Event(Box::new(event)))),
            Some(_) => self.add_search_pending(sn),
        }
        if let Some((target, kind)) = relation_of(&pdu) {
            self.write(&ADD_RELATION, vec![target.into(), sn.into(), room.into(), kind.into(), place]);
        }
    }

    /// Completes an event that came before those that authorise it.
    pub fn set_auth_events(&mut self, event: EventSn, auth: &[EventSn]) {
        self.write(&SET_AUTH, vec![event.into(), pack(auth).into()]);
        self.rewritten.push(event);
    }

    /// Gives a stored event other flags. Whether it is shown must stay as it was.
    pub fn set_flags(&mut self, event: EventSn, flags: EventFlags) {
        self.write(&SET_FLAGS, vec![event.into(), flags.0.into()]);
        self.rewritten.push(event);
    }

    /// Takes the content out of an event for good. `json` is its redacted form.
    pub fn redact_event(&mut self, target: EventSn, json: &str, by: EventSn) {
        self.write(&SET_REDACTED, vec![target.into(), by.into()]);
        self.write(&SET_JSON, vec![target.into(), json.into()]);
        self.write(&REMOVE_RELATIONS_OF, vec![target.into()]);
        self.add_search_pending(target);
        self.rewritten.push(target);
    }
}

/// Whether an event's row is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writing {
    New,
    Stored,
}

/// The target and the type of an event's relation, if both are sound.
fn read_root(row: &StoredRow) -> Result<StateRoot, StorageError> {
    StateRoot::from_bytes(&row.bytes(0)?).ok_or_else(|| StorageError::Corrupt("a state root".to_owned()))
}

fn relation_of(pdu: &Pdu) -> Option<(String, String)> {
    let relation = pdu.relates_to()?;
    let target = relation.event_id.filter(|target| EventId::parse(target.as_ref()).is_ok())?;
    Some((target.into_owned(), relation.rel_type?.into_owned()))
}

fn event_row(event: &NewEvent, position: Value, place: Value) -> Vec<Value> {
    let pdu = &event.pdu;
    vec![
        event.sn.into(),
        pdu.event_id().as_str().into(),
        event.room.into(),
        event.kind.into(),
        event.sender.into(),
        event.slot.map(|slot| i64::from(slot.0)).into(),
        event.state_index.into(),
        pdu.depth().into(),
        pdu.origin_server_ts().into(),
        position,
        place,
        event.flags.0.into(),
        event.state_root.0.as_slice().into(),
        event.room_root.0.as_slice().into(),
        pack(&event.prev).into(),
        pack(&event.auth).into(),
    ]
}

impl Store {
    /// The event that a device made with a transaction id before.
    pub async fn transaction(&self, key: &TransactionKey) -> Result<Option<EventSn>, StorageError> {
        let row = self.engine.fetch_one(&TRANSACTION, vec![key.hash().into()]).await?;
        row.map(|row| row.int(0).map(EventSn)).transpose()
    }

    /// The number of an event that is stored here.
    pub async fn event_sn(&self, event_id: &EventId) -> Result<Option<EventSn>, StorageError> {
        Ok(self.event_sns(std::slice::from_ref(&event_id)).await?.remove(event_id))
    }

    /// The numbers of those of these events that are stored here.
    pub async fn event_sns(
        &self,
        event_ids: &[&EventId],
    ) -> Result<HashMap<OwnedEventId, EventSn>, StorageError> {
        let mut found = HashMap::with_capacity(event_ids.len());
        let mut asked = Vec::new();
        for event_id in event_ids {
            match self.shared.event_sns.get(*event_id) {
                Some(sn) => drop(found.insert((*event_id).to_owned(), sn)),
                None => asked.push(event_id.as_str()),
            }
        }
        for row in self.engine.fetch_list(&EVENTS_BY_ID, Vec::new(), asked).await? {
            let corrupt = |_| StorageError::Corrupt("an event id".to_owned());
            let event_id = OwnedEventId::try_from(row.text(0)?).map_err(corrupt)?;
            let sn = EventSn(row.int(1)?);
            self.shared.event_sns.insert(event_id.clone(), sn);
            found.insert(event_id, sn);
        }
        Ok(found)
    }

    /// An event by its id.
    pub async fn event_by_id(&self, event_id: &EventId) -> Result<Option<Arc<StoredEvent>>, StorageError> {
        match self.event_sn(event_id).await? {
            Some(sn) => self.event(sn).await.map(Some),
            None => Ok(None),
        }
    }

    /// An event by its number.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] if there is none: numbers are not guessed.
    pub async fn event(&self, sn: EventSn) -> Result<Arc<StoredEvent>, StorageError> {
        let mut events = self.events(&[sn]).await?;
        events.pop().ok_or_else(|| StorageError::Corrupt("an event number without an event".to_owned()))
    }

    /// Events by their numbers, in the order asked for. Those that do not exist are left out.
    pub async fn events(&self, sns: &[EventSn]) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        let mut found: Vec<Option<Arc<StoredEvent>>> = sns.iter().map(|sn| self.shared.event(*sn)).collect();
        let asked: Vec<EventSn> =
            sns.iter().zip(&found).filter(|(_, event)| event.is_none()).map(|(sn, _)| *sn).collect();
        if !asked.is_empty() {
            let generation = self.shared.rewrites();
            let mut read = HashMap::with_capacity(asked.len());
            for row in self.engine.fetch_list(&EVENTS_BY_SN, Vec::new(), asked).await? {
                let event = Arc::new(from_row(&row)?);
                self.shared.cache_event(&event, generation);
                read.insert(event.sn, event);
            }
            for (sn, place) in sns.iter().zip(&mut found) {
                if place.is_none() {
                    *place = read.get(sn).cloned();
                }
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// The room's timeline between two positions (`after` excluded, `until` included), at most `limit` events.
    /// [`Direction::Forward`] gives the oldest of them, oldest first; [`Direction::Backward`] the newest of
    /// them, newest first.
    pub async fn timeline(
        &self,
        room: RoomSn,
        after: Position,
        until: Position,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (statement, first, second) = match direction {
            Direction::Forward => (&TIMELINE_AFTER, after, until),
            Direction::Backward => (&TIMELINE_BEFORE, until, after),
        };
        let values = vec![room.into(), first.into(), second.into(), limit.into()];
        let mut events = self.events(&self.numbers(statement, values).await?).await?;
        events.sort_unstable_by_key(|event| event.position);
        Ok(directed(events, direction))
    }

    /// A room's history between two places (`after` excluded, `until` included), at most `limit` events: as
    /// [`timeline`](Self::timeline), with what was fetched from the past.
    pub async fn history(
        &self,
        room: RoomSn,
        after: Place,
        until: Place,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (statement, first, second) = match direction {
            Direction::Forward => (&HISTORY_AFTER, after, until),
            Direction::Backward => (&HISTORY_BEFORE, until, after),
        };
        let values = vec![room.into(), first.0.into(), second.0.into(), limit.into()];
        let mut events = self.events(&self.numbers(statement, values).await?).await?;
        events.sort_unstable_by_key(|event| event.place);
        Ok(directed(events, direction))
    }

    /// What a statement made by `numbers_of` finds.
    async fn numbers(&self, statement: &Statement, values: Vec<Value>) -> Result<Vec<EventSn>, StorageError> {
        let row = self.engine.fetch_one(statement, values).await?;
        let numbers = row.map_or(Ok(Vec::new()), |row| row.numbers(0))?;
        Ok(numbers.into_iter().map(EventSn).collect())
    }

    /// The room's current state as it was at a position: after the last event at or before it.
    pub async fn room_root_at(&self, room: RoomSn, position: Position) -> Result<StateRoot, StorageError> {
        let row = self.engine.fetch_one(&ROOM_ROOT_AT, vec![room.into(), position.into()]).await?;
        row.map_or(Ok(StateRoot::EMPTY), |row| read_root(&row))
    }

    /// The states of a room after the first events that it has here, oldest first, at most `limit`.
    pub async fn first_room_roots(&self, room: RoomSn, limit: u32) -> Result<Vec<StateRoot>, StorageError> {
        let values = vec![room.into(), Position::START.into(), limit.into()];
        let rows = self.engine.fetch(&FIRST_ROOM_ROOTS, values).await?;
        rows.iter().map(read_root).collect()
    }

    /// The events of all rooms between two positions (`after` excluded), oldest first, at most `limit`: for
    /// readers whose cursor lies before what memory holds.
    pub async fn events_between(
        &self,
        after: Position,
        until: Position,
        limit: usize,
    ) -> Result<Vec<(Position, RoomSn, EventSn)>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.engine.fetch(&CHANGED_EVENTS, vec![after.into(), until.into(), limit.into()]).await?;
        rows.iter()
            .map(|row| Ok((Position(row.int(2)?), RoomSn(row.int(1)?), EventSn(row.int(0)?))))
            .collect()
    }

    /// The children of these events, in the order of the room's history.
    pub async fn relations(&self, targets: &[&EventId]) -> Result<Vec<Relation>, StorageError> {
        let list = targets.iter().map(|target| target.as_str());
        let rows = self.engine.fetch_list(&RELATIONS_OF, Vec::new(), list).await?;
        let corrupt = |_| StorageError::Corrupt("an event id".to_owned());
        let relations = rows.iter().map(|row| {
            Ok(Relation {
                target: OwnedEventId::try_from(row.text(0)?).map_err(corrupt)?,
                relation_type: row.text(1)?,
                event: EventSn(row.int(2)?),
                place: Place(row.int(3)?),
            })
        });
        relations.collect()
    }

    /// The threads of a room whose newest reply lies before a place, newest first.
    pub async fn threads(
        &self,
        room: RoomSn,
        before: Place,
        limit: usize,
    ) -> Result<Vec<ThreadRoot>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows =
            self.engine.fetch(&THREADS_OF_ROOM, vec![room.into(), before.into(), limit.into()]).await?;
        let corrupt = |_| StorageError::Corrupt("an event id".to_owned());
        let threads = rows.iter().map(|row| {
            let root = OwnedEventId::try_from(row.text(0)?).map_err(corrupt)?;
            Ok(ThreadRoot { root, latest: Place(row.int(1)?) })
        });
        threads.collect()
    }

    /// The event of a room whose time is nearest to `ts` (milliseconds since the epoch), looking one way.
    pub async fn event_near(
        &self,
        room: RoomSn,
        ts: i64,
        direction: Direction,
    ) -> Result<Option<Arc<StoredEvent>>, StorageError> {
        let statement = match direction {
            Direction::Forward => &EVENT_NEAR_TS_FORWARD,
            Direction::Backward => &EVENT_NEAR_TS_BACKWARD,
        };
        match self.engine.fetch_one(statement, vec![room.into(), ts.into()]).await? {
            Some(row) => self.event(EventSn(row.int(0)?)).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Events that stand oldest first, as a direction wants them.
fn directed(mut events: Vec<Arc<StoredEvent>>, direction: Direction) -> Vec<Arc<StoredEvent>> {
    if direction == Direction::Backward {
        events.reverse();
    }
    events
}

/// An event from a row of [`EVENTS_BY_SN`].
fn from_row(row: &StoredRow) -> Result<StoredEvent, StorageError> {
    let corrupt = |what: &str| StorageError::Corrupt(format!("the {what} of an event"));
    let event_id = OwnedEventId::try_from(row.text(1)?).map_err(|_| corrupt("id"))?;
    let room_id = OwnedRoomId::try_from(row.text(3)?).map_err(|_| corrupt("room"))?;
    let version = row.text(4)?.parse::<RoomVersion>().map_err(|_| corrupt("room version"))?;
    let pdu = Pdu::from_stored(event_id, room_id, version, row.text(14)?)
        .map_err(|error| StorageError::Corrupt(format!("the JSON of an event: {error}")))?;
    let root =
        |column: usize| StateRoot::from_bytes(&row.bytes(column)?).ok_or_else(|| corrupt("state root"));
    let slot = row.opt_int(6)?.map(|slot| u32::try_from(slot).map(Slot).map_err(|_| corrupt("slot")));
    let transaction = row.opt_int(15)?.map(DeviceSn).zip(row.opt_text(16)?);
    Ok(StoredEvent {
        sn: EventSn(row.int(0)?),
        room: RoomSn(row.int(2)?),
        sender: UserSn(row.int(5)?),
        position: Position(row.opt_int(7)?.unwrap_or(0)),
        place: row.opt_int(17)?.map_or(Place::NOWHERE, Place),
        flags: EventFlags(row.int(8)?),
        slot: slot.transpose()?,
        state_root: root(9)?,
        room_root: root(10)?,
        prev: unpack(&row.bytes(11)?),
        auth: unpack(&row.bytes(12)?),
        redacted_by: row.opt_int(13)?.map(EventSn),
        transaction,
        pdu,
    })
}
