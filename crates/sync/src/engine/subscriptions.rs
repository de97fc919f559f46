//! Threads that users follow (<https://github.com/matrix-org/matrix-spec-proposals/pull/4306>).
//!
//! What makes somebody follow a thread by itself, such as being mentioned there, is seen by clients: messages may be
//! encrypted. Here it is only decided what becomes of what they say. Whether the user may see the thread is decided
//! before.

use std::sync::Arc;

use super::SyncEngine;
use crate::followed::FollowedThread;
use parvis_storage::{
    CommitError, Position, StorageError, StoredEvent, Subscription, THREAD_SUBSCRIPTION_IS_UNCHANGED, UserSn,
    WriteSet,
};

/// How often a change is tried again that others were quicker than.
const TRIES: usize = 16;

/// Why a user does not follow a thread.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// The event that is said to be the cause is no reply in the thread.
    #[error("the event that is the cause is not in this thread")]
    NotInThread,
    /// The user has stopped following the thread after the event that is said to be the cause.
    #[error("you have stopped following this thread after that event")]
    EndedSince,
    /// Others of the user's devices change the same all the time.
    #[error("others have changed the same meanwhile")]
    Busy,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl SyncEngine {
    /// How a user stands to the thread that begins with an event; `None` if they never followed it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn thread_subscription(
        &self,
        user: UserSn,
        root: &StoredEvent,
    ) -> Result<Option<Subscription>, StorageError> {
        let stored = self.0.parts.store.thread_subscription(user, root.sn).await?;
        Ok(stored.map(|(subscription, _)| subscription))
    }

    /// Has a user follow the thread that begins with an event: because the user wishes to, or because of a `cause`, a
    /// reply there. A wish stands above a cause; and a cause counts for nothing that came before the user stopped
    /// following the thread.
    ///
    /// # Errors
    /// Any [`SubscriptionError`].
    pub async fn follow_thread(
        &self,
        user: UserSn,
        root: &StoredEvent,
        cause: Option<&Arc<StoredEvent>>,
    ) -> Result<(), SubscriptionError> {
        if cause.is_some_and(|cause| !is_reply(cause, root)) {
            return Err(SubscriptionError::NotInThread);
        }
        self.change_subscription(user, root, |stored| match (stored, cause) {
            (Some((Subscription::Manual, _)), _) | (Some((Subscription::Automatic, _)), Some(_)) => Ok(None),
            (Some((Subscription::Ended, since)), Some(cause)) if cause.position <= since => {
                Err(SubscriptionError::EndedSince)
            }
            (_, Some(_)) => Ok(Some(Subscription::Automatic)),
            (_, None) => Ok(Some(Subscription::Manual)),
        })
        .await
    }

    /// Has a user no longer follow a thread. Who does not follow it goes on not doing so.
    ///
    /// # Errors
    /// [`SubscriptionError::Busy`], or if the database fails.
    pub async fn stop_following_thread(
        &self,
        user: UserSn,
        root: &StoredEvent,
    ) -> Result<(), SubscriptionError> {
        self.change_subscription(user, root, |stored| match stored {
            None | Some((Subscription::Ended, _)) => Ok(None),
            Some(_) => Ok(Some(Subscription::Ended)),
        })
        .await
    }

    /// What has changed after one position, up to another (the newest, without one), in which threads a user follows:
    /// the newest first, at most `limit`. Where there are so many, there may be more, before the last of them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn followed_threads_between(
        &self,
        user: UserSn,
        after: Position,
        until: Option<Position>,
        limit: usize,
    ) -> Result<Vec<FollowedThread>, StorageError> {
        let parts = &self.0.parts;
        let until = until.unwrap_or_else(|| parts.store.head());
        parts.followed_threads_between(user, after, until, limit).await
    }

    async fn change_subscription(
        &self,
        user: UserSn,
        root: &StoredEvent,
        change: impl Fn(Option<(Subscription, Position)>) -> Result<Option<Subscription>, SubscriptionError>,
    ) -> Result<(), SubscriptionError> {
        let store = &self.0.parts.store;
        for _ in 0..TRIES {
            let stored = store.thread_subscription(user, root.sn).await?;
            let Some(subscription) = change(stored)? else { return Ok(()) };
            let mut set = WriteSet::new();
            set.demand_thread_subscription(user, root.sn, stored.map(|(_, position)| position));
            set.put_thread_subscription(user, root.room, root.sn, subscription);
            match store.commit(set).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Guard(THREAD_SUBSCRIPTION_IS_UNCHANGED)) => {}
                Err(CommitError::Storage(error)) => return Err(error.into()),
                Err(other) => return Err(StorageError::Corrupt(format!("a subscription: {other}")).into()),
            }
        }
        Err(SubscriptionError::Busy)
    }
}

fn is_reply(event: &StoredEvent, root: &StoredEvent) -> bool {
    let relation = event.pdu.relates_to();
    event.room == root.room
        && relation.is_some_and(|relation| {
            relation.rel_type.as_deref() == Some("m.thread")
                && relation.event_id.as_deref() == Some(root.pdu.event_id().as_str())
        })
}
