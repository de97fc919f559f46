//! To which thread an event belongs (<https://spec.matrix.org/v1.19/client-server-api/#threading>), and which threads
//! users follow.

use std::sync::Arc;

use parvis_storage::{Position, StorageError, Store, StoredEvent, Subscription, UserSn};
use ruma::{EventId, OwnedEventId, OwnedRoomId};

use crate::parts::Parts;

/// Over how many relations a thread is looked for: a reaction to an edit of a reply is in the reply's thread.
const HOPS: usize = 3;

/// A thread that a user follows, or has stopped following.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowedThread {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The event that the thread begins with.
    pub root: OwnedEventId,
    /// How the user stands to it.
    pub subscription: Subscription,
    /// Since when.
    pub position: Position,
}

impl Parts {
    /// What has changed after one position, up to another, in which threads a user follows: the newest first, at most
    /// `limit`.
    pub(crate) async fn followed_threads_between(
        &self,
        user: UserSn,
        after: Position,
        until: Position,
        limit: usize,
    ) -> Result<Vec<FollowedThread>, StorageError> {
        let mut threads = Vec::new();
        for thread in self.store.thread_subscriptions_between(user, after, until, limit).await? {
            threads.push(FollowedThread {
                room_id: self.store.room_id(thread.room).await?,
                root: thread.root,
                subscription: thread.subscription,
                position: thread.position,
            });
        }
        Ok(threads)
    }
}

/// The root of the thread to which an event belongs; `None` for the main timeline, to which the root itself
/// belongs.
pub(crate) async fn thread_of(
    store: &Store,
    event: &Arc<StoredEvent>,
) -> Result<Option<OwnedEventId>, StorageError> {
    let mut event = Arc::clone(event);
    for _ in 0..=HOPS {
        let Some(relation) = event.pdu.relates_to() else { return Ok(None) };
        let (Some(kind), Some(target)) = (relation.rel_type, relation.event_id) else { return Ok(None) };
        let Ok(target) = EventId::parse(target.as_ref()) else { return Ok(None) };
        if kind == "m.thread" {
            return Ok(Some(target));
        }
        match store.event_by_id(&target).await? {
            Some(target) if target.room == event.room => event = target,
            _ => return Ok(None),
        }
    }
    Ok(None)
}
