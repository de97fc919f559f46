//! Between the engine of syncs, which knows what users have not read, and the one that tells their phones.

use std::sync::Arc;

use async_trait::async_trait;
use parvis_outbound::Attention;
use parvis_storage::{EventSn, Position, StorageError, StoredEvent, UserSn};
use parvis_sync::Notices;
use ruma::push::Action;

use crate::config::PushBadge;

/// What syncs know, for phones.
#[derive(Debug)]
pub(crate) struct BySync {
    /// What syncs know.
    pub(crate) notices: Notices,
    /// What the number on an app's icon counts.
    pub(crate) badge: PushBadge,
}

#[async_trait]
impl Attention for BySync {
    async fn notifies(&self, user: UserSn, event: &Arc<StoredEvent>) -> Result<bool, StorageError> {
        self.notices.notifies(user, event).await
    }

    async fn actions(&self, user: UserSn, event: &Arc<StoredEvent>) -> Result<Vec<Action>, StorageError> {
        self.notices.actions(user, event).await
    }

    async fn unread_between(
        &self,
        user: UserSn,
        after: Position,
        until: Position,
        limit: usize,
    ) -> Result<Vec<(Position, EventSn)>, StorageError> {
        self.notices.unread_between(user, after, until, limit).await
    }

    async fn badge(&self, user: UserSn) -> Result<u64, StorageError> {
        let total = self.notices.total(user).await?;
        Ok(match self.badge {
            PushBadge::Messages => total.messages,
            PushBadge::Rooms => total.rooms,
        })
    }
}
