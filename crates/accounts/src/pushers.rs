//! Pushers: where users want to be told when they are not looking. They are kept; nothing is sent yet.

use parvis_storage::{NewPusher, StorageError, WriteSet};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use crate::{
    accounts::{Accounts, plain},
    session::Session,
};

/// The largest pusher, in bytes.
const LARGEST: usize = 16_384;
/// How many pushers a user may have.
const MOST: usize = 100;

/// Why a pusher is not kept.
#[derive(Debug, thiserror::Error)]
pub enum PusherError {
    /// The pusher is too large, or the user has too many.
    #[error("there are too many pushers, or this one is too large")]
    TooMuch,
    /// The stored pusher cannot be read.
    #[error("a pusher cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// A user's pushers, as they were set.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn pushers(&self, session: &Session) -> Result<Vec<Box<RawValue>>, PusherError> {
        let pushers = self.store.pushers(session.user).await?;
        Ok(pushers.into_iter().map(RawValue::from_string).collect::<Result<_, _>>()?)
    }

    /// Sets a pusher. Unless it is to be one among those of several users, the others lose theirs for this
    /// app and key.
    ///
    /// # Errors
    /// Any [`PusherError`].
    pub async fn set_pusher(
        &self,
        session: &Session,
        app_id: &str,
        pushkey: &str,
        pusher: &Map<String, Value>,
        among_others: bool,
    ) -> Result<(), PusherError> {
        let pusher = to_raw_value(pusher)?;
        if pusher.get().len() > LARGEST || self.store.pushers(session.user).await?.len() >= MOST {
            return Err(PusherError::TooMuch);
        }
        let mut set = WriteSet::new();
        if !among_others {
            set.delete_pushers_of_others(session.user, app_id, pushkey);
        }
        set.put_pusher(&NewPusher {
            user: session.user,
            device: session.device,
            app_id,
            pushkey,
            pusher: pusher.get(),
            created_ts: self.now().millis(),
        });
        self.store.commit(set).await.map_err(plain)?;
        Ok(())
    }

    /// Takes a pusher away. It does not matter whether it was there.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn delete_pusher(
        &self,
        session: &Session,
        app_id: &str,
        pushkey: &str,
    ) -> Result<(), StorageError> {
        let mut set = WriteSet::new();
        set.delete_pusher(session.user, app_id, pushkey);
        self.store.commit(set).await.map(drop).map_err(plain)
    }
}
