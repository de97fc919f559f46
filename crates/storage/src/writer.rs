//! The writer: one task that gathers the write sets that wait, writes them in one transaction with multi-row
//! statements, and answers each after the commit.
//!
//! While one group is being written the next one gathers, so the busier the server, the larger the groups.
//! A set whose guard fails is taken out of its group and told so. If the database refuses a group, its sets
//! are tried one by one, so that one bad set cannot take others with it.

pub(crate) mod batch;
pub(crate) mod transaction;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

pub use self::transaction::Committed;
pub(crate) use self::transaction::only_int;
use self::transaction::{Answer, write_in_transaction};
use crate::{
    engine::{Connection, Engine},
    error::{CommitError, StorageError},
    pace::Work,
    shared::Shared,
    statement::statements,
    write_set::WriteSet,
};

statements! {
    TAKE_NUMBERS = "UPDATE counters SET value = value + $1 WHERE name = 'number' RETURNING value";
}

/// How many sets are written in one transaction at most.
const GROUP: usize = 128;
/// How many sets may wait. Those who come when it is full wait to be let in.
const QUEUE: usize = 1024;

enum Request {
    Commit(Box<WriteSet>, oneshot::Sender<Answer>),
    Numbers(i64, oneshot::Sender<Result<i64, StorageError>>),
    /// Nothing that comes after this is written.
    Close,
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
    /// Starts the writing task. It ends, after finishing what waits, when it is closed or every `Writer` is gone.
    pub(crate) fn start(engine: Engine, shared: Arc<Shared>) -> (Self, tokio::task::JoinHandle<()>) {
        let (requests, receiver) = mpsc::channel(QUEUE);
        let task = WriterTask { engine, shared, connection: None, newest: None };
        (Self { requests }, tokio::spawn(task.run(receiver)))
    }

    /// Puts a set into the queue. Sets are written in the order in which this returns.
    pub(crate) async fn submit(&self, set: WriteSet) -> Submitted {
        let (reply, answer) = oneshot::channel();
        // If the task is gone the reply is dropped with the request, and waiting for it says so.
        let _ = self.requests.send(Request::Commit(Box::new(set), reply)).await;
        Submitted(answer)
    }

    /// Lets the task finish what waits, and end. Who writes afterwards is told that the store is closed.
    pub(crate) async fn close(&self) {
        // If the task is gone, it is closed.
        let _ = self.requests.send(Request::Close).await;
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
    /// The newest position, if it is known.
    newest: Option<i64>,
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
                    Request::Close => receiver.close(),
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
                sets.iter().for_each(|set| self.shared.pending.remove(set));
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
        let outcome = write_in_transaction(&mut connection, &self.engine, sets, &mut self.newest).await;
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
        let _turn = self.engine.turn(Work::Write).await;
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
