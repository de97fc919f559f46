//! The engine's handle. What it can do stands in the other modules, a kind of operation each.

use std::sync::Arc;

use parvis_ambient::{Ambient, Timestamp};
use parvis_storage::{CommitError, StorageError, Store};

use crate::{
    cache::SessionCache, known_providers::Providers, password::Passwords, rendezvous::Places,
    settings::AccountsSettings,
};

/// The accounts of one organisation. Cheap to clone; all clones share what they keep in memory.
#[derive(Clone, Debug)]
pub struct Accounts {
    pub(crate) store: Store,
    pub(crate) ambient: Ambient,
    pub(crate) settings: Arc<AccountsSettings>,
    pub(crate) passwords: Passwords,
    pub(crate) sessions: Arc<SessionCache>,
    pub(crate) known_providers: Arc<Providers>,
    pub(crate) places: Arc<Places>,
}

impl Accounts {
    /// The accounts that are kept in `store`.
    pub fn new(store: Store, ambient: Ambient, settings: AccountsSettings) -> Self {
        let chance = Arc::clone(&ambient.chance);
        Self {
            passwords: Passwords::new(settings.password_cost, settings.password_workers, chance),
            sessions: Arc::new(SessionCache::new(settings.cached_sessions)),
            known_providers: Arc::new(Providers::new()),
            places: Arc::new(Places::new(ambient.clone())),
            settings: Arc::new(settings),
            store,
            ambient,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.ambient.now()
    }
}

/// The storage error of a set whose guards, if it has any, were looked at before.
pub(crate) fn plain(error: CommitError) -> StorageError {
    match error {
        CommitError::Storage(error) => error,
        other => StorageError::Corrupt(format!("a write was refused: {other}")),
    }
}
