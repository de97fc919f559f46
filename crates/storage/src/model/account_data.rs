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

/// An empty object, written as no client that means one writes it.
const DELETED: &str = "{ }";

impl AccountData {
    /// What stands for data that is deleted. Clients that knew it see an empty object; for all others there is none.
    pub fn deleted() -> Box<RawValue> {
        RawValue::from_string(DELETED.to_owned()).unwrap_or_default()
    }

    /// Whether it was deleted.
    pub fn is_deleted(&self) -> bool {
        self.content.get() == DELETED
    }
}

/// Account data that a write set changes, for the cache.
pub(crate) struct AccountDataChange {
    pub(crate) user: UserSn,
    pub(crate) data: Arc<AccountData>,
}
