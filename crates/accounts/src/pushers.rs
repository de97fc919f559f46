//! Pushers: where users want to be told when they are not looking. They are kept here; `outbound` tells them.

use parvis_policy::push::Tell;
use parvis_storage::{NewPusher, StorageError, StoredPusher, WriteSet};
use serde_json::value::to_raw_value;
use serde_json::{Map, Value};

use crate::{
    accounts::{Accounts, plain},
    session::Session,
};

/// The largest pusher, in bytes.
const LARGEST: usize = 16_384;
/// How many pushers a user may have.
const MOST: usize = 100;

/// A pusher that a client wishes to be kept.
#[derive(Clone, Copy, Debug)]
pub struct WantedPusher<'a> {
    /// The app.
    pub app_id: &'a str,
    /// The app's name for the receiver.
    pub pushkey: &'a str,
    /// Where its gateway is.
    pub url: &'a str,
    /// All of it.
    pub pusher: &'a Map<String, Value>,
    /// Whether it is told anything.
    pub enabled: bool,
    /// Whether it is to be one among those of several users.
    pub among_others: bool,
}

/// Why a pusher is not kept.
#[derive(Debug, thiserror::Error)]
pub enum PusherError {
    /// The pusher is too large, or the user has too many.
    #[error("there are too many pushers, or this one is too large")]
    TooMuch,
    /// The organisation does not have phones told through this gateway: why, as a sentence for people.
    #[error("{0}")]
    Refused(&'static str),
    /// Nobody can be told at this URL: why, as a sentence for people.
    #[error("{0}")]
    NoGateway(&'static str),
    /// The pusher cannot be written.
    #[error("a pusher cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// A user's pushers, the oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn pushers(&self, session: &Session) -> Result<Vec<StoredPusher>, StorageError> {
        self.store.pushers(session.user).await
    }

    /// Sets a pusher. Unless it is to be one among those of several users, the others lose theirs for this app and
    /// key.
    ///
    /// # Errors
    /// Any [`PusherError`].
    pub async fn set_pusher(&self, session: &Session, wanted: &WantedPusher<'_>) -> Result<(), PusherError> {
        let WantedPusher { app_id, pushkey, url, pusher, enabled, among_others } = *wanted;
        let decision = self.settings.push.may_tell(url);
        match decision.outcome {
            Tell::Yes => {}
            Tell::No => return Err(PusherError::Refused(decision.rule)),
            Tell::NoGateway => return Err(PusherError::NoGateway(decision.rule)),
        }
        let pusher = to_raw_value(pusher)?;
        let known = self.store.pushers(session.user).await?;
        let is_new = !known.iter().any(|known| known.key.app_id == app_id && known.key.pushkey == pushkey);
        if pusher.get().len() > LARGEST || (is_new && known.len() >= MOST) {
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
            enabled,
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
