//! The rows of a group of sets, gathered so that each statement is run for many of them at once.

use std::collections::{HashMap, HashSet, VecDeque};

use parvis_events::is_bumping;

use crate::{
    dialect,
    engine::{Connection, Text},
    error::StorageError,
    model::RoomHead,
    numbers::{Place, Position, RoomSn, pack},
    statement::{Statement, statements},
    value::Value,
    write_set::{PendingChange, WriteSet},
};

statements! {
    ADD_TRANSACTION(rows of 5, key 1) =
        "INSERT INTO transactions (key, device_sn, transaction_id, event_sn, created_ts) VALUES {rows}";
    ADD_NODE(rows of 2, key 1) = "INSERT INTO state_nodes (hash, body) VALUES {rows} ON CONFLICT DO NOTHING";
    PUT_ROOM(rows of 12, key 1) =
        "INSERT INTO rooms (room_sn, room_id, version, class, head_version, heads, state_root, depth, next_slot,
             next_state_index, last_position, bump_position)
         VALUES {rows}
         ON CONFLICT (room_sn) DO UPDATE SET version = excluded.version, head_version = excluded.head_version, heads = excluded.heads,
             state_root = excluded.state_root, depth = excluded.depth, next_slot = excluded.next_slot,
             next_state_index = excluded.next_state_index, last_position = CASE
                 WHEN excluded.last_position > rooms.last_position THEN excluded.last_position
                 ELSE rooms.last_position END, bump_position = CASE
                 WHEN excluded.bump_position > rooms.bump_position THEN excluded.bump_position
                 ELSE rooms.bump_position END";
}

/// How many parameters one statement takes at most: below the limits of both engines.
const PARAMETERS: usize = 30_000;

/// Up to how many rows are written by one text for all tables: those of one message. Of more, so many different texts would
/// be made that the engine seldom has one of them ready.
const TOGETHER: usize = 12;

/// Rows gathered for multi-row statements, in the order in which their statements first appeared.
#[derive(Default)]
pub(super) struct Batch {
    tables: Vec<(&'static Statement, RowsByKey)>,
    /// The positions of the newest events of rooms. Whoever prepares a head while others are being written does not
    /// know them.
    last_positions: HashMap<RoomSn, Position>,
    /// The positions of the newest events by which rooms rise, of those that are written here.
    bump_positions: HashMap<RoomSn, Position>,
}

/// Rows of one statement. Among rows with equal keys the last one wins.
#[derive(Default)]
struct RowsByKey {
    rows: VecDeque<Vec<Value>>,
    by_key: HashMap<Vec<Value>, usize>,
}

impl Batch {
    /// Adds everything that a set writes; its first change stands after `first`.
    pub(super) async fn add_set(
        &mut self,
        connection: &mut Connection,
        set: &WriteSet,
        first: i64,
    ) -> Result<(), StorageError> {
        self.add_nodes(set);
        for write in &set.writes {
            let values = write.values.iter().map(|value| place(value, first)).collect();
            if write.statement.is_rows() {
                self.add(write.statement, values);
            } else {
                // What was gathered so far comes first, so that the order within a set is kept.
                self.flush(connection).await?;
                let rows = connection.fetch(write.statement.text.to_owned(), values).await?;
                if let Some(returned) = &write.returned {
                    returned.put(rows);
                }
            }
        }
        self.add_guarded(set, first);
        Ok(())
    }

    /// As [`add_set`](Self::add_set), for a set that writes nothing but rows.
    pub(super) fn add_rows(&mut self, set: &WriteSet, first: i64) {
        self.add_nodes(set);
        for write in &set.writes {
            self.add(write.statement, write.values.iter().map(|value| place(value, first)).collect());
        }
        self.add_guarded(set, first);
    }

    fn add_nodes(&mut self, set: &WriteSet) {
        for (hash, node) in &set.nodes {
            self.add(&ADD_NODE, vec![hash.as_slice().into(), node.encode().into()]);
        }
    }

    /// Adds the client transaction of a set, and the head of its room.
    fn add_guarded(&mut self, set: &WriteSet, first: i64) {
        if let Some(transaction) = &set.transaction {
            let key = &transaction.key;
            let id = key.transaction_id.as_str();
            let created = transaction.created_ts;
            let values = vec![
                key.hash().into(),
                key.device.into(),
                id.into(),
                transaction.event.into(),
                created.into(),
            ];
            self.add(&ADD_TRANSACTION, values);
        }
        if let Some(room) = &set.room {
            let events =
                set.changes.iter().filter(|change| matches!(change, PendingChange::Event(_))).count();
            let last = (events > 0).then(|| Position(first + i64::try_from(set.changes.len()).unwrap_or(0)));
            let newest = self.last_positions.entry(room.head.room).or_insert(room.head.last_position);
            *newest = last.unwrap_or(Position::START).max(*newest);
            let bump = self.bump_positions.entry(room.head.room).or_insert(Position::START);
            *bump = newest_bump(set, first).max(*bump);
            let row = head_row(&room.head, *newest, *bump);
            self.add(&PUT_ROOM, row);
        }
    }

    fn add(&mut self, statement: &'static Statement, row: Vec<Value>) {
        let index = self.tables.iter().position(|table| table.0.name == statement.name);
        let index = index.unwrap_or_else(|| {
            self.tables.push((statement, RowsByKey::default()));
            self.tables.len() - 1
        });
        let table = &mut self.tables[index].1;
        let key = row[..statement.key].to_vec();
        match table.by_key.get(&key) {
            Some(earlier) => table.rows[*earlier] = row,
            None => {
                table.by_key.insert(key, table.rows.len());
                table.rows.push_back(row);
            }
        }
    }

    /// Writes what was gathered.
    pub(super) async fn flush(&mut self, connection: &mut Connection) -> Result<(), StorageError> {
        let together = self.row_count() <= TOGETHER;
        let texts = self.texts(connection);
        if together {
            connection.fetch_all(texts).await?;
        } else {
            for text in texts {
                connection.fetch_all(vec![text]).await?;
            }
        }
        Ok(())
    }

    /// How many rows were gathered.
    pub(super) fn row_count(&self) -> usize {
        self.tables.iter().map(|(_, table)| table.rows.len()).sum()
    }

    /// Whether what was gathered may be written by one statement of many parts, none of which sees what the others write:
    /// each table is written to once.
    pub(super) fn goes_at_once(&self) -> bool {
        let names: HashSet<&str> = self.tables.iter().map(|(statement, _)| statement.table()).collect();
        names.len() == self.tables.len()
    }

    /// The texts that write what was gathered.
    pub(super) fn texts(&mut self, connection: &Connection) -> Vec<Text> {
        let mut texts = Vec::with_capacity(self.tables.len());
        for (statement, table) in self.tables.drain(..) {
            let mut rows_left = table.rows.into_iter();
            let at_once = PARAMETERS / statement.columns;
            loop {
                let values: Vec<Vec<Value>> = rows_left.by_ref().take(at_once).collect();
                if values.is_empty() {
                    break;
                }
                let text = dialect::insert_rows(connection, statement, values.len());
                texts.push((text, values.into_iter().flatten().collect()));
            }
        }
        texts
    }
}

/// Puts the number in place of a position that is now known.
fn place(value: &Value, first: i64) -> Value {
    match value {
        Value::Position(index) => Value::Int(Some(first + i64::from(*index) + 1)),
        Value::Place(index) => Place::of(Position(first + i64::from(*index) + 1)).into(),
        other => other.clone(),
    }
}

/// The position of the newest event of a set by which its room rises.
fn newest_bump(set: &WriteSet, first: i64) -> Position {
    let bumps = |change: &PendingChange| matches!(change, PendingChange::Event(event) if is_bumping(event.pdu.kind()));
    let newest = set.changes.iter().rposition(bumps);
    newest.map_or(Position::START, |index| Position(first + i64::try_from(index).unwrap_or(0) + 1))
}

/// A head as a row of [`PUT_ROOM`].
fn head_row(head: &RoomHead, last_position: Position, bump_position: Position) -> Vec<Value> {
    vec![
        head.room.into(),
        head.room_id.as_str().into(),
        head.version.as_str().into(),
        head.class.as_str().into(),
        head.head_version.into(),
        pack(&head.heads).into(),
        head.state_root.0.as_slice().into(),
        head.depth.into(),
        head.next_slot.into(),
        head.next_state_index.into(),
        last_position.into(),
        bump_position.into(),
    ]
}
