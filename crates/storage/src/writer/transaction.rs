//! One transaction: the guards of its sets, the positions of their changes, and their rows.

use std::collections::HashMap;

use super::batch::Batch;
use crate::{
    dialect,
    engine::{Connection, Engine},
    error::{CommitError, StorageError},
    numbers::{EventSn, Position, RoomSn},
    pace::Work,
    statement::statements,
    value::{Row, Value},
    write_set::WriteSet,
};

statements! {
    TAKE_POSITIONS = "UPDATE counters SET value = value + $1 WHERE name = 'position' RETURNING value";
    FIND_TRANSACTIONS(list after 0) = "SELECT key, event_sn FROM transactions WHERE key IN ({list})";
    HEAD_VERSIONS(list after 0) =
        "SELECT room_sn, head_version FROM rooms WHERE room_sn IN ({list}) ORDER BY room_sn";
}

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

/// Writes those sets whose guards hold, and commits.
pub(super) async fn write_in_transaction(
    connection: &mut Connection,
    engine: &Engine,
    sets: &mut [Box<WriteSet>],
) -> Result<Written, StorageError> {
    let working = engine.turn(Work::Write).await;
    connection.begin().await?;
    let refusals = check_guards(connection, engine, sets).await?;
    let surviving = || sets.iter().zip(&refusals).filter(|(_, refusal)| refusal.is_none());
    let count: usize = surviving().map(|(set, _)| set.changes.len()).sum();
    let mut next = 0;
    if count > 0 {
        let taken = i64::try_from(count).unwrap_or(i64::MAX);
        let rows = connection.fetch(TAKE_POSITIONS.text.to_owned(), vec![taken.into()]).await?;
        next = only_int(&rows)? - taken;
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
    Ok(written)
}

/// Decides which sets may be written, as if they were written one after another.
async fn check_guards(
    connection: &mut Connection,
    engine: &Engine,
    sets: &[Box<WriteSet>],
) -> Result<Vec<Option<CommitError>>, StorageError> {
    let mut used = used_transactions(connection, sets).await?;
    let mut versions = head_versions(connection, engine, sets).await?;
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

async fn used_transactions(
    connection: &mut Connection,
    sets: &[Box<WriteSet>],
) -> Result<HashMap<Vec<u8>, EventSn>, StorageError> {
    let guards = sets.iter().filter_map(|set| set.transaction.as_ref());
    let keys: Vec<Value> = guards.map(|guard| guard.key.hash().into()).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = connection.fetch(FIND_TRANSACTIONS.expand(keys.len()), keys).await?;
    rows.iter().map(|row| Ok((row.bytes(0)?, EventSn(row.int(1)?)))).collect()
}

async fn head_versions(
    connection: &mut Connection,
    engine: &Engine,
    sets: &[Box<WriteSet>],
) -> Result<HashMap<RoomSn, i64>, StorageError> {
    let moved = sets.iter().filter_map(|set| set.room.as_ref());
    let mut rooms: Vec<RoomSn> = moved.filter(|room| room.expected.is_some()).map(|room| room.room).collect();
    rooms.sort_unstable();
    rooms.dedup();
    if rooms.is_empty() {
        return Ok(HashMap::new());
    }
    let text = dialect::lock_rows(engine, HEAD_VERSIONS.expand(rooms.len()));
    let rows = connection.fetch(text, rooms.into_iter().map(Value::from).collect()).await?;
    rows.iter().map(|row| Ok((RoomSn(row.int(0)?), row.int(1)?))).collect()
}
