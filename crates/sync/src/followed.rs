//! Which threads users follow (<https://github.com/matrix-org/matrix-spec-proposals/pull/4306>), as they are told of it.

use parvis_storage::{Position, StorageError, Subscription, UserSn};
use ruma::{OwnedEventId, OwnedRoomId};

use crate::parts::Parts;

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
