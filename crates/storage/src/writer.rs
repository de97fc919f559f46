//! The writer: one task that gathers the write sets that wait, writes them in one transaction with multi-row
//! statements, and answers each after the commit.
//!
//! While one group is being written the next one gathers, so the busier the server, the larger the groups.
//! A set whose guard fails is taken out of its group and told so. If the database refuses a group, its sets
//! are tried one by one, so that one bad set cannot take others with it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    EventSn, Position, RoomSn,
    changes::Announced,
    dialect,
    engine::{Connection, Engine},
    error::{CommitError, StorageError},
    rooms, state,
    statement::{Statement, statements},
    store::Shared,
    value::{Row, Value},
    write_set::{PendingChange, WriteSet},
};

statements! {
    TAKE_POSITIONS = "UPDATE counters SET value = value + $1 WHERE name = 'position' RETURNING value";
    TAKE_NUMBERS = "UPDATE counters SET value = value + $1 WHERE name = 'number' RETURNING value";
    FIND_TRANSACTIONS(list after 0) = "SELECT key, event_sn FROM transactions WHERE key IN ({list})";
    ADD_TRANSACTION(rows of 5, key 1) =
        "INSERT INTO transactions (key, device_sn, transaction_id, event_sn, created_ts) VALUES {rows}";
}

/// How many sets are written in one transaction at most.
const GROUP: usize = 128;
/// How many sets may wait. Those who come when it is full wait to be let in.
const QUEUE: usize = 1024;
/// How many parameters one statement takes at most: below the limits of both engines.
const PARAMETERS: usize = 30_000;

/// Where the changes of a set landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The position of the set's last change; the head of the stream if the set announced none.
    pub position: Position,
}

type Answer = Result<Committed, CommitError>;

enum Request {
    Commit(Box<WriteSet>, oneshot::Sender<Answer>),
    Numbers(i64, oneshot::Sender<Result<i64, StorageError>>),
}

/// The way to the writing task.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    requests: mpsc::Sender<Request>,
}

/// A write that is on its way. Await it to know how it ended.
pub struct Submitted(oneshot::Receiver<Answer>);

impl Submitted {
    /// Waits until the set is durable, or refused.
    ///
    /// # Errors
    /// Any [`CommitError`]; nothing of the set was then written.
    pub async fn done(self) -> Answer {
        self.0.await.unwrap_or(Err(CommitError::Storage(StorageError::Closed)))
    }
}

impl Writer {
    /// Starts the writing task. It ends, after finishing what waits, when every `Writer` is gone.
    pub(crate) fn start(engine: Engine, shared: Arc<Shared>) -> (Self, tokio::task::JoinHandle<()>) {
        let (requests, receiver) = mpsc::channel(QUEUE);
        let task = WriterTask { engine, shared, connection: None };
        (Self { requests }, tokio::spawn(task.run(receiver)))
    }

    /// Puts a set into the queue. Sets are written in the order in which this returns.
    pub(crate) async fn submit(&self, set: WriteSet) -> Submitted {
        let (reply, answer) = oneshot::channel();
        // If the task is gone the reply is dropped with the request, and waiting for it says so.
        let _ = self.requests.send(Request::Commit(Box::new(set), reply)).await;
        Submitted(answer)
    }

    /// Reserves numbers; gives the last one of the block.
    pub(crate) async fn reserve_numbers(&self, count: i64) -> Result<i64, StorageError> {
        let (reply, answer) = oneshot::channel();
        let _ = self.requests.send(Request::Numbers(count, reply)).await;
        answer.await.unwrap_or(Err(StorageError::Closed))
    }
}

struct WriterTask {
    engine: Engine,
    shared: Arc<Shared>,
    connection: Option<Connection>,
}

struct Waiting {
    set: Box<WriteSet>,
    reply: oneshot::Sender<Answer>,
}

impl WriterTask {
    async fn run(mut self, mut receiver: mpsc::Receiver<Request>) {
        let mut queue = Vec::with_capacity(GROUP);
        while receiver.recv_many(&mut queue, GROUP).await > 0 {
            let mut group = Vec::with_capacity(queue.len());
            for request in queue.drain(..) {
                match request {
                    // A set with guards of its own must see what was written before it: it starts a group.
                    Request::Commit(set, reply) if !set.guards.is_empty() => {
                        self.write_group(std::mem::take(&mut group)).await;
                        self.write_group(vec![Waiting { set, reply }]).await;
                    }
                    Request::Commit(set, reply) => group.push(Waiting { set, reply }),
                    Request::Numbers(count, reply) => {
                        let _ = reply.send(self.take_numbers(count).await);
                    }
                }
            }
            self.write_group(group).await;
        }
    }

    async fn write_group(&mut self, group: Vec<Waiting>) {
        if group.is_empty() {
            return;
        }
        let (mut sets, mut replies): (Vec<_>, Vec<_>) =
            group.into_iter().map(|waiting| (waiting.set, waiting.reply)).unzip();
        match self.try_group(&mut sets).await {
            Ok(answers) => {
                for (reply, answer) in replies.into_iter().zip(answers) {
                    let _ = reply.send(answer);
                }
            }
            Err(error) if sets.len() == 1 => {
                self.shared.forget_pending(&sets);
                let _ = replies.remove(0).send(Err(error.into()));
            }
            Err(error) => {
                tracing::warn!(%error, sets = sets.len(), "a group of writes failed, trying its sets one by one");
                for (set, reply) in sets.into_iter().zip(replies) {
                    Box::pin(self.write_group(vec![Waiting { set, reply }])).await;
                }
            }
        }
    }

    /// Writes a group in one transaction. After an error nothing is written and the sets are whole.
    async fn try_group(&mut self, sets: &mut [Box<WriteSet>]) -> Result<Vec<Answer>, StorageError> {
        let mut connection = self.take_connection().await?;
        let outcome = write_in_transaction(&mut connection, &self.engine, sets).await;
        match outcome {
            Ok(written) => {
                self.connection = Some(connection);
                let head = self.shared.stream.head();
                let answers = written.answers(head);
                let committed = sets.iter().zip(&answers).map(|(set, answer)| (&**set, answer.is_ok()));
                self.shared.apply(committed, &written.first_positions);
                Ok(answers)
            }
            Err(error) => {
                // A connection that cannot roll back is dropped, and the next group opens another.
                if connection.rollback().await.is_ok() {
                    self.connection = Some(connection);
                }
                Err(error)
            }
        }
    }

    async fn take_numbers(&mut self, count: i64) -> Result<i64, StorageError> {
        let mut connection = self.take_connection().await?;
        let rows = connection.fetch(TAKE_NUMBERS.text.to_owned(), vec![count.into()]).await;
        if rows.is_ok() {
            self.connection = Some(connection);
        }
        only_int(&rows?)
    }

    async fn take_connection(&mut self) -> Result<Connection, StorageError> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => self.engine.writer().await,
        }
    }
}

fn only_int(rows: &[Row]) -> Result<i64, StorageError> {
    match rows {
        [row] => row.int(0),
        _ => Err(StorageError::Corrupt("a counter is missing".to_owned())),
    }
}

/// What became of each set of a group.
struct Written {
    refusals: Vec<Option<CommitError>>,
    /// For each set, the position before its first change.
    first_positions: Vec<Position>,
    last_positions: Vec<Option<Position>>,
}

impl Written {
    fn answers(&self, head: Position) -> Vec<Answer> {
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

async fn write_in_transaction(
    connection: &mut Connection,
    engine: &Engine,
    sets: &mut [Box<WriteSet>],
) -> Result<Written, StorageError> {
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
    connection.commit().await?;
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
    let text = dialect::lock_rows(engine, rooms::HEAD_VERSIONS.expand(rooms.len()));
    let rows = connection.fetch(text, rooms.into_iter().map(Value::from).collect()).await?;
    rows.iter().map(|row| Ok((RoomSn(row.int(0)?), row.int(1)?))).collect()
}

/// Rows gathered for multi-row statements, in the order in which their statements first appeared.
#[derive(Default)]
struct Batch {
    tables: Vec<(&'static Statement, RowsByKey)>,
}

/// Rows of one statement. Among rows with equal keys the last one wins.
#[derive(Default)]
struct RowsByKey {
    rows: VecDeque<Vec<Value>>,
    by_key: HashMap<Vec<Value>, usize>,
}

impl Batch {
    async fn add_set(
        &mut self,
        connection: &mut Connection,
        set: &WriteSet,
        first: i64,
    ) -> Result<(), StorageError> {
        for (hash, node) in &set.nodes {
            self.add(&state::ADD_NODE, vec![hash.as_slice().into(), node.encode().into()]);
        }
        for write in &set.writes {
            let values = write.values.iter().map(|value| place(value, first)).collect();
            if write.statement.is_rows() {
                self.add(write.statement, values);
            } else {
                // What was gathered so far comes first, so that the order within a set is kept.
                self.flush(connection).await?;
                connection.fetch(write.statement.text.to_owned(), values).await?;
            }
        }
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
            self.add(&rooms::PUT_ROOM, room.head.to_row(last));
        }
        Ok(())
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

    async fn flush(&mut self, connection: &mut Connection) -> Result<(), StorageError> {
        for (statement, table) in self.tables.drain(..) {
            let mut rows = table.rows.into_iter();
            let at_once = PARAMETERS / statement.columns;
            loop {
                let values: Vec<Vec<Value>> = rows.by_ref().take(at_once).collect();
                if values.is_empty() {
                    break;
                }
                let text = statement.expand(values.len());
                connection.fetch(text, values.into_iter().flatten().collect()).await?;
            }
        }
        Ok(())
    }
}

/// Puts the number in place of a position that is now known.
fn place(value: &Value, first: i64) -> Value {
    match value {
        Value::Position(index) => Value::Int(Some(first + i64::from(*index) + 1)),
        other => other.clone(),
    }
}

/// The changes of a written set with their positions.
pub(crate) fn announced(set: &WriteSet, first: Position) -> Vec<Announced> {
    let numbered = set.changes.iter().zip(first.0 + 1..);
    numbered
        .map(|(change, position)| Announced {
            position: Position(position),
            change: match change {
                PendingChange::Event(event) => event.as_change(),
                PendingChange::Other(change) => change.clone(),
            },
        })
        .collect()
}
