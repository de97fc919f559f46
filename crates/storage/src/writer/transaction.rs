//! One transaction: the guards of its sets, the positions of their changes, and their rows.
//!
//! Ordinarily the database is asked three times: for what the guards need to know and for positions, to write, and to
//! commit. A set that is alone is written at once, since each way to the database and back costs more than what is done
//! there: the position is known from the last time, and the guards fail the whole where they do not hold.

use std::{borrow::Borrow, collections::HashMap};

use super::batch::Batch;
use sqlx::error::{DatabaseError, ErrorKind};

use crate::{
    dialect,
    engine::{Connection, Engine, Text},
    error::{CommitError, StorageError},
    numbers::{EventSn, Position, RoomSn},
    pace::Work,
    statement::statements,
    value::{Row, Value},
    write_set::WriteSet,
};

statements! {
    TAKE_POSITIONS = "UPDATE counters SET value = value + $1 WHERE name = 'position' RETURNING value";
    MOVE_POSITION =
        "UPDATE counters SET value = CASE WHEN value = $1 THEN CAST($2 AS BIGINT) END WHERE name = 'position'";
    REFUSE_MOVED_ROOM =
        "INSERT INTO counters (name, value) SELECT 'refused', NULL
         WHERE NOT EXISTS (SELECT 1 FROM rooms WHERE room_sn = $1 AND head_version = $2)";
    FIND_TRANSACTIONS(list after 0) = "SELECT key, event_sn FROM transactions WHERE key IN ({list})";
    HEAD_VERSIONS(list after 0) =
        "SELECT room_sn, head_version FROM rooms WHERE room_sn IN ({list}) ORDER BY room_sn";
}

/// Up to how many rows are written at once: those of a message, or of a room that is made. More are rare, and each number of
/// them would be a text of its own.
const AT_ONCE: usize = 48;

/// Where the changes of a set landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The position of the set's last change; the head of the stream if the set announced none.
    pub position: Position,
}

/// What the one who submitted a set is told.
pub(super) type Answer = Result<Committed, CommitError>;

/// The number in the only row.
pub(crate) fn only_int(rows: &[Row]) -> Result<i64, StorageError> {
    match rows {
        [row] => row.int(0),
        _ => Err(StorageError::Corrupt("a counter is missing".to_owned())),
    }
}

/// What became of each set of a group.
pub(super) struct Written {
    refusals: Vec<Option<CommitError>>,
    /// For each set, the position before its first change.
    pub(super) first_positions: Vec<Position>,
    last_positions: Vec<Option<Position>>,
}

impl Written {
    /// What each set is told; `head` is the head of the stream before the group.
    pub(super) fn answers(&self, head: Position) -> Vec<Answer> {
        let refusals = self.refusals.iter().zip(&self.last_positions);
        refusals
            .map(|(refusal, last)| match refusal {
                None => Ok(Committed { position: last.unwrap_or(head) }),
                Some(CommitError::RoomMoved) => Err(CommitError::RoomMoved),
                Some(CommitError::TransactionUsed(event)) => Err(CommitError::TransactionUsed(*event)),
                Some(CommitError::Guard(name)) => Err(CommitError::Guard(name)),
                Some(CommitError::Storage(_)) => Err(CommitError::Storage(StorageError::Closed)),
            })
            .collect()
    }
}

/// Writes those sets whose guards hold, and commits. `newest` is the newest position, if it is known, and known
/// afterwards.
pub(super) async fn write_in_transaction(
    connection: &mut Connection,
    engine: &Engine,
    sets: &mut [Box<WriteSet>],
    newest: &mut Option<i64>,
) -> Result<Written, StorageError> {
    // After an error it is not known any more.
    let known = newest.take();
    if let ([set], Some(first)) = (&*sets, known)
        && let Some(written) = write_alone(connection, engine, set, first).await?
    {
        *newest = Some(first + changes_in(&*sets));
        return Ok(written);
    }
    let working = engine.turn(Work::Write).await;
    let Begun { used, versions, mut next } = begin(connection, engine, sets).await?;
    let refusals = check_guards(connection, sets, used, versions).await?;
    let refused = sets.iter().zip(&refusals).filter(|(_, refusal)| refusal.is_some());
    let unneeded = changes_in(refused.map(|(set, _)| set));
    if unneeded > 0 {
        connection.fetch(TAKE_POSITIONS.text.to_owned(), vec![(-unneeded).into()]).await?;
    }
    let mut written = Written {
        refusals: Vec::new(),
        first_positions: Vec::with_capacity(sets.len()),
        last_positions: Vec::with_capacity(sets.len()),
    };
    let mut batch = Batch::default();
    for (set, refusal) in sets.iter().zip(&refusals) {
        written.first_positions.push(Position(next));
        if refusal.is_some() {
            written.last_positions.push(None);
            continue;
        }
        let first = next;
        next += i64::try_from(set.changes.len()).unwrap_or(i64::MAX);
        written.last_positions.push((next > first).then_some(Position(next)));
        batch.add_set(connection, set, first).await?;
    }
    batch.flush(connection).await?;
    drop(working);
    let committing = engine.turn(Work::Commit).await;
    connection.commit().await?;
    drop(committing);
    engine.turn(Work::Committed).await;
    written.refusals = refusals;
    *newest = if changes_in(&*sets) > 0 { Some(next) } else { known };
    Ok(written)
}

/// Writes a set at once, if it can be: its guards are among what is written, and fail it. Then nothing is written and
/// nothing is said, since only the ordinary way knows which of them it was.
async fn write_alone(
    connection: &mut Connection,
    engine: &Engine,
    set: &WriteSet,
    first: i64,
) -> Result<Option<Written>, StorageError> {
    let writes_rows_only = set.writes.iter().all(|write| write.statement.is_rows());
    if !set.guards.is_empty() || !writes_rows_only {
        return Ok(None);
    }
    let mut batch = Batch::default();
    batch.add_rows(set, first);
    if batch.row_count() > AT_ONCE || !batch.goes_at_once() {
        return Ok(None);
    }
    let changes = changes_in([set]);
    let mut texts: Vec<Text> = Vec::new();
    if let Some((room, expected)) = set.room.as_ref().and_then(|room| Some((room.room, room.expected?))) {
        texts.push((REFUSE_MOVED_ROOM.text.to_owned(), vec![room.into(), expected.into()]));
    }
    if changes > 0 {
        let values = vec![first.into(), (first + changes).into()];
        texts.push((MOVE_POSITION.text.to_owned(), values));
    }
    texts.extend(batch.texts(connection));
    drop(engine.turn(Work::Write).await);
    let committing = engine.turn(Work::Commit).await;
    match connection.write_at_once(texts).await {
        Ok(()) => {}
        Err(StorageError::Database(sqlx::Error::Database(error))) if is_refusal(&*error) => {
            connection.rollback().await?;
            return Ok(None);
        }
        Err(error) => return Err(error),
    }
    drop(committing);
    engine.turn(Work::Committed).await;
    Ok(Some(Written {
        refusals: vec![None],
        first_positions: vec![Position(first)],
        last_positions: vec![(changes > 0).then_some(Position(first + changes))],
    }))
}

/// Whether a text failed because a guard in it does not hold.
fn is_refusal(error: &dyn DatabaseError) -> bool {
    matches!(error.kind(), ErrorKind::NotNullViolation | ErrorKind::UniqueViolation)
}

/// What a transaction begins with.
struct Begun {
    /// The events of those client transactions of the sets that are known.
    used: HashMap<Vec<u8>, EventSn>,
    /// The versions of the heads of the sets' rooms.
    versions: HashMap<RoomSn, i64>,
    /// The position before the first of those that are taken for all sets.
    next: i64,
}

/// Opens a transaction: asks what the guards need to know, and takes a position for each change.
async fn begin(
    connection: &mut Connection,
    engine: &Engine,
    sets: &[Box<WriteSet>],
) -> Result<Begun, StorageError> {
    let keys: Vec<Value> =
        sets.iter().filter_map(|set| Some(set.transaction.as_ref()?.key.hash().into())).collect();
    let moved = sets.iter().filter_map(|set| set.room.as_ref());
    let mut rooms: Vec<RoomSn> = moved.filter(|room| room.expected.is_some()).map(|room| room.room).collect();
    rooms.sort_unstable();
    rooms.dedup();
    let taken = changes_in(sets);
    let (asks_keys, asks_rooms) = (!keys.is_empty(), !rooms.is_empty());
    let mut texts = Vec::with_capacity(3);
    if asks_keys {
        let keys = padded(keys);
        texts.push((FIND_TRANSACTIONS.expand(keys.len()), keys));
    }
    if asks_rooms {
        let rooms = padded(rooms.into_iter().map(Value::from).collect());
        texts.push((dialect::lock_rows(engine, HEAD_VERSIONS.expand(rooms.len())), rooms));
    }
    if taken > 0 {
        texts.push((TAKE_POSITIONS.text.to_owned(), vec![taken.into()]));
    }
    let mut found = connection.begin_with(texts).await?.into_iter();
    let mut rows_if = |asked: bool| if asked { found.next().unwrap_or_default() } else { Vec::new() };
    let used = rows_if(asks_keys);
    let versions = rows_if(asks_rooms);
    let next = if taken > 0 { only_int(&rows_if(true))? - taken } else { 0 };
    Ok(Begun {
        used: used
            .iter()
            .map(|row| Ok((row.bytes(0)?, EventSn(row.int(1)?))))
            .collect::<Result<_, StorageError>>()?,
        versions: versions
            .iter()
            .map(|row| Ok((RoomSn(row.int(0)?), row.int(1)?)))
            .collect::<Result<_, StorageError>>()?,
        next,
    })
}

/// A list whose last element is repeated up to the next power of two, so that there are few different texts.
fn padded(mut list: Vec<Value>) -> Vec<Value> {
    if let Some(last) = list.last().cloned() {
        list.resize(list.len().next_power_of_two(), last);
    }
    list
}

/// How many changes there are in these sets.
fn changes_in<'s, S>(sets: impl IntoIterator<Item = &'s S>) -> i64
where
    S: Borrow<WriteSet> + 's,
{
    let count: usize = sets.into_iter().map(|set| set.borrow().changes.len()).sum();
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Decides which sets may be written, as if they were written one after another.
async fn check_guards(
    connection: &mut Connection,
    sets: &[Box<WriteSet>],
    mut used: HashMap<Vec<u8>, EventSn>,
    mut versions: HashMap<RoomSn, i64>,
) -> Result<Vec<Option<CommitError>>, StorageError> {
    let mut refusals = Vec::with_capacity(sets.len());
    for set in sets {
        let refusal = match refusal_of(set, &used, &versions) {
            None => failed_guard(connection, set).await?,
            refusal => refusal,
        };
        if refusal.is_none() {
            if let Some(room) = &set.room {
                versions.insert(room.room, room.head.head_version);
            }
            if let Some(transaction) = &set.transaction {
                used.insert(transaction.key.hash(), transaction.event);
            }
        }
        refusals.push(refusal);
    }
    Ok(refusals)
}

fn refusal_of(
    set: &WriteSet,
    used: &HashMap<Vec<u8>, EventSn>,
    versions: &HashMap<RoomSn, i64>,
) -> Option<CommitError> {
    let event = set.transaction.as_ref().and_then(|transaction| used.get(&transaction.key.hash()));
    if let Some(event) = event {
        return Some(CommitError::TransactionUsed(*event));
    }
    let moved = set.room.as_ref().is_some_and(|room| versions.get(&room.room).copied() != room.expected);
    moved.then_some(CommitError::RoomMoved)
}

async fn failed_guard(
    connection: &mut Connection,
    set: &WriteSet,
) -> Result<Option<CommitError>, StorageError> {
    for guard in &set.guards {
        let rows = connection.fetch(guard.statement.text.to_owned(), guard.values.clone()).await?;
        if rows.is_empty() == guard.finds {
            return Ok(Some(CommitError::Guard(guard.name)));
        }
    }
    Ok(None)
}
