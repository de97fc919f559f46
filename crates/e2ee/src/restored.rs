//! Keys after a restore.
//!
//! A database that is put back to a backup does not know to whom keys were given since. Whoever restores one says
//! so; where that was forgotten, a database on which nobody has worked for a while is taken for restored. That costs
//! little where it is wrong: devices upload new keys when they hear that none is left, and until then their
//! fallback keys are used.

use std::time::Duration;

use parvis_storage::{StorageError, WriteSet};

use crate::{engine::E2ee, error::plain};

/// How often it is written down that somebody works on the database.
const SIGN_EVERY: Duration = Duration::from_secs(5 * 60);
/// How long nobody works on a database that is taken for restored.
const SILENCE: Duration = Duration::from_secs(20 * 60);

impl E2ee {
    /// Voids what may have been given to others if nobody has worked on the database for a while. Before anything
    /// else is done with it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn wake(&self) -> Result<(), StorageError> {
        let now = self.now();
        let last = self.store.sign_of_life().await?;
        let silent = last.map(|last| now.since(parvis_ambient::Timestamp(last)));
        let mut set = WriteSet::new();
        if let Some(silent) = silent.filter(|silent| *silent > SILENCE) {
            let minutes = silent.as_secs() / 60;
            tracing::warn!(
                minutes,
                "the database was out of use: one-time keys are void, in case it was restored"
            );
            set.void_what_was_given(now.millis());
        }
        set.put_sign_of_life(now.millis());
        self.store.commit(set).await.map_err(plain)?;
        Ok(())
    }

    /// Says again and again that somebody works on the database.
    pub(crate) async fn keep_alive(self) {
        loop {
            self.ambient.clock.sleep(SIGN_EVERY).await;
            let mut set = WriteSet::new();
            set.put_sign_of_life(self.now().millis());
            if let Err(error) = self.store.commit(set).await {
                tracing::error!(%error, "it cannot be written down that the database is in use");
            }
        }
    }
}
