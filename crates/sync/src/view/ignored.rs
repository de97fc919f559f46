//! Whom a user ignores (<https://spec.matrix.org/v1.19/client-server-api/#ignoring-users>).

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use parvis_cache::Cache;
use parvis_storage::{AccountData, StorageError, Store, UserSn};
use ruma::OwnedUserId;
use serde::{Deserialize, de::IgnoredAny};

/// A list as it was read, and the account data that it was read from.
type Read = (Arc<AccountData>, Arc<HashSet<OwnedUserId>>);

/// The lists of all users, each read once for as long as it does not change.
#[derive(Clone, Debug)]
pub(super) struct IgnoreLists {
    store: Store,
    read: Cache<UserSn, Read>,
    nobody: Arc<HashSet<OwnedUserId>>,
}

#[derive(Deserialize)]
struct Content {
    ignored_users: HashMap<OwnedUserId, IgnoredAny>,
}

impl IgnoreLists {
    pub(super) fn new(store: Store) -> Self {
        Self { store, read: Cache::new(10_000), nobody: Arc::default() }
    }

    /// Whom a user ignores now.
    pub(super) async fn of(&self, user: UserSn) -> Result<Arc<HashSet<OwnedUserId>>, StorageError> {
        let Some(data) = self.store.account_data(user, None, "m.ignored_user_list").await? else {
            return Ok(Arc::clone(&self.nobody));
        };
        if let Some((source, list)) = self.read.get(&user)
            && Arc::ptr_eq(&source, &data)
        {
            return Ok(list);
        }
        let content: Option<Content> = ruma::exports::serde_json::from_str(data.content.get()).ok();
        let mut list: HashSet<OwnedUserId> =
            content.map(|content| content.ignored_users.into_keys().collect()).unwrap_or_default();
        // Nobody can lose sight of themselves.
        list.remove(&self.store.user_id(user).await?);
        let list = Arc::new(list);
        self.read.insert(user, (data, Arc::clone(&list)));
        Ok(list)
    }
}
