//! Account data as it is read, and as a write set changes it.

use std::sync::Arc;

use ruma::exports::serde_json::value::RawValue;

use crate::numbers::{RoomSn, UserSn};

/// One piece of account data.
#[derive(Clone, Debug)]
pub struct AccountData {
    /// The room, or `None` for account-wide data.
    pub room: Option<RoomSn>,
    /// The event type.
    pub kind: String,
    /// The content, as JSON.
    pub content: Box<RawValue>,
}

/// Account data that a write set changes, for the cache.
pub(crate) struct AccountDataChange {
    pub(crate) user: UserSn,
    pub(crate) data: Arc<AccountData>,
}
