//! The door to what users want to be told: their rules, and what they have read.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use parvis_storage::{EventSn, Position, StorageError, StoredEvent, UserSn};
use ruma::push::Action;

/// What users want to be told, and what they have not read. Answered by whoever answers their syncs, so that a phone
/// and a sync count the same.
#[async_trait]
pub trait Attention: Send + Sync + fmt::Debug {
    /// Whether an event notifies a user, by their rules of now.
    ///
    /// # Errors
    /// If the database fails.
    async fn notifies(&self, user: UserSn, event: &Arc<StoredEvent>) -> Result<bool, StorageError>;

    /// What is done about an event that was found to notify a user: nothing where they have read it meanwhile, or
    /// may not see it any more.
    ///
    /// # Errors
    /// If the database fails.
    async fn actions(&self, user: UserSn, event: &Arc<StoredEvent>) -> Result<Vec<Action>, StorageError>;

    /// What notifies a user and is unread, of all that came between two positions (`after` excluded, `until`
    /// included): oldest first, at most `limit`.
    ///
    /// # Errors
    /// If the database fails.
    async fn unread_between(
        &self,
        user: UserSn,
        after: Position,
        until: Position,
        limit: usize,
    ) -> Result<Vec<(Position, EventSn)>, StorageError>;

    /// How much a user has not read: the number on the app's icon.
    ///
    /// # Errors
    /// If the database fails.
    async fn badge(&self, user: UserSn) -> Result<u64, StorageError>;
}
