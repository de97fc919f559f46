//! How far users say that they have read: receipts and the marker of what is fully read
//! (<https://spec.matrix.org/v1.19/client-server-api/#receipts>,
//! <https://spec.matrix.org/v1.19/client-server-api/#fully-read-markers>).

mod elsewhere;

use std::sync::Arc;

use parvis_ambient::Ambient;
use parvis_events::Membership;
use parvis_storage::{CommitError, NewReceipt, RoomSn, StorageError, Store, StoredEvent, UserSn, WriteSet};
use ruma::{EventId, OwnedEventId, RoomId};
use serde::Deserialize;
use serde_json::{json, value::to_raw_value};
use tokio::sync::{Mutex, MutexGuard};

use self::elsewhere::Early;
pub use self::elsewhere::HeardReceipt;
use crate::{threads::thread_of, view::Reader};

/// Among how many queues the users are shared out whose receipts move one after another.
const QUEUES: usize = 64;

/// What a user says of their reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadMark {
    /// A receipt that everybody in the room is told of.
    Public(ReadThread),
    /// A receipt that only the user's own devices are told of.
    Private(ReadThread),
    /// The marker of what is fully read, which is data of the user's own.
    Fully,
}

/// What part of a room a receipt speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadThread {
    /// All of it.
    Unthreaded,
    /// What is in no thread.
    Main,
    /// The thread with this root.
    Thread(OwnedEventId),
}

impl ReadThread {
    fn as_str(&self) -> &str {
        match self {
            Self::Unthreaded => "",
            Self::Main => "main",
            Self::Thread(root) => root.as_str(),
        }
    }
}

/// Why a receipt does not move.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The user is not in the room.
    #[error("you are not in this room")]
    NotJoined,
    /// There is no such event in the room.
    #[error("there is no such event in this room")]
    UnknownEvent,
    /// The event is not in the thread of which the receipt speaks.
    #[error("the event is not in this thread")]
    OtherThread,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<CommitError> for ReceiptError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(error) => Self::Storage(error),
            other => {
                Self::Storage(StorageError::Corrupt(format!("a receipt without guards was refused: {other}")))
            }
        }
    }
}

/// Moves receipts. Cheap to clone; all clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Receipts {
    store: Store,
    ambient: Ambient,
    queues: Arc<[Mutex<()>; QUEUES]>,
    early: Early,
}

impl Receipts {
    pub(crate) fn new(store: Store, ambient: Ambient) -> Self {
        let queues = Arc::new(std::array::from_fn(|_| Mutex::default()));
        Self { store, ambient, queues, early: Early::default() }
    }

    /// Moves what a user has read of a room forward, never back. All of the marks move, or none.
    pub(crate) async fn mark_read(
        &self,
        reader: Reader,
        room_id: &RoomId,
        marks: &[(ReadMark, OwnedEventId)],
    ) -> Result<(), ReceiptError> {
        let room = self.joined_room(reader.user, room_id).await?;
        let mut events = Vec::with_capacity(marks.len());
        for (mark, event_id) in marks {
            events.push(self.marked_event(room, mark, event_id).await?);
        }
        let _turn = self.turn(reader.user).await;
        let mut set = WriteSet::new();
        for ((mark, _), event) in marks.iter().zip(&events) {
            self.put(&mut set, reader.user, mark, event).await?;
        }
        if !set.is_empty() {
            self.store.commit(set).await?;
        }
        Ok(())
    }

    async fn joined_room(&self, user: UserSn, room_id: &RoomId) -> Result<RoomSn, ReceiptError> {
        let room = self.store.room_sn(room_id).await?.ok_or(ReceiptError::NotJoined)?;
        let member = self.store.member(user, room).await?;
        let joined = member.is_some_and(|member| member.membership == Membership::Join);
        if joined { Ok(room) } else { Err(ReceiptError::NotJoined) }
    }

    /// Receipts of one user are looked at and moved one after another.
    async fn turn(&self, user: UserSn) -> MutexGuard<'_, ()> {
        let queue = usize::try_from(user.0.unsigned_abs()).unwrap_or_default() % QUEUES;
        self.queues[queue].lock().await
    }

    async fn marked_event(
        &self,
        room: RoomSn,
        mark: &ReadMark,
        event_id: &EventId,
    ) -> Result<Arc<StoredEvent>, ReceiptError> {
        let event = self.store.event_by_id(event_id).await?;
        let here = event.filter(|event| event.room == room && event.is_shown());
        let event = here.ok_or(ReceiptError::UnknownEvent)?;
        let fits = match mark {
            ReadMark::Fully | ReadMark::Public(ReadThread::Unthreaded) => true,
            ReadMark::Private(ReadThread::Unthreaded) => true,
            ReadMark::Public(thread) | ReadMark::Private(thread) => {
                let found = thread_of(&self.store, &event).await?;
                match thread {
                    ReadThread::Main => found.is_none(),
                    // The root is where a thread is entered; and what refers to it may be read there.
                    ReadThread::Thread(root) => {
                        event.pdu.event_id() == root
                            || found.as_ref() == Some(root)
                            || refers_to(&self.store, &event, root).await?
                    }
                    ReadThread::Unthreaded => true,
                }
            }
        };
        if fits { Ok(event) } else { Err(ReceiptError::OtherThread) }
    }

    async fn put(
        &self,
        set: &mut WriteSet,
        user: UserSn,
        mark: &ReadMark,
        event: &StoredEvent,
    ) -> Result<(), StorageError> {
        let (receipt_type, thread) = match mark {
            ReadMark::Fully => return self.put_fully_read(set, user, event).await,
            ReadMark::Public(thread) => ("m.read", thread.as_str()),
            ReadMark::Private(thread) => ("m.read.private", thread.as_str()),
        };
        let known = self.store.receipts_of_room(event.room).await?.of(user);
        let known = known.iter().find(|known| known.receipt_type == receipt_type && known.thread == thread);
        if known.is_none_or(|known| known.event_position < event.position) {
            set.put_receipt(&NewReceipt {
                room: event.room,
                user,
                user_id: &self.store.user_id(user).await?,
                receipt_type,
                thread,
                event_id: event.pdu.event_id(),
                event_position: event.position,
                ts: self.ambient.now().millis(),
            });
        }
        Ok(())
    }

    async fn put_fully_read(
        &self,
        set: &mut WriteSet,
        user: UserSn,
        event: &StoredEvent,
    ) -> Result<(), StorageError> {
        #[derive(Deserialize)]
        struct Content {
            event_id: OwnedEventId,
        }
        let known = self.store.account_data(user, Some(event.room), "m.fully_read").await?;
        let known = known.and_then(|data| serde_json::from_str::<Content>(data.content.get()).ok());
        if let Some(known) = known
            && let Some(known) = self.store.event_by_id(&known.event_id).await?
            && known.position >= event.position
        {
            return Ok(());
        }
        let content = to_raw_value(&json!({ "event_id": event.pdu.event_id() }))
            .map_err(|error| StorageError::Corrupt(format!("a read marker: {error}")))?;
        set.put_account_data(user, Some(event.room), "m.fully_read", &content);
        Ok(())
    }
}

/// Whether an event relates, over a few others, to another.
async fn refers_to(store: &Store, event: &Arc<StoredEvent>, target: &EventId) -> Result<bool, StorageError> {
    let mut event = Arc::clone(event);
    for _ in 0..3 {
        let Some(next) = event.pdu.relates_to().and_then(|relation| relation.event_id) else { break };
        if next == target.as_str() {
            return Ok(true);
        }
        let Ok(next) = EventId::parse(next.as_ref()) else { break };
        let Some(found) = store.event_by_id(&next).await? else { break };
        event = found;
    }
    Ok(false)
}
