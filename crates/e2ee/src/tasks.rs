//! The engine's own tasks: one follows the stream and tells other servers of devices; one asks for the lists of
//! devices of which something was missed; one says that the database is in use. They end when the engine closes.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use parvis_storage::StorageError;
use tokio::sync::watch;

use crate::engine::E2ee;

/// After how long a list is asked for again that its server did not tell.
const RETRY: Duration = Duration::from_secs(60);
/// After how long the stream is followed again after the store failed.
const PAUSE: Duration = Duration::from_secs(5);
/// How many lists are asked for at a time.
const AT_ONCE: usize = 8;
/// How many lists are asked for in one go.
const LISTS: usize = 500;

impl E2ee {
    /// Starts the tasks. They hold the store until the engine is [closed](Self::close).
    pub fn start_tasks(&self) {
        let closing = self.closing.subscribe();
        tokio::spawn(self.clone().until_closed(closing.clone(), Self::keep_telling));
        tokio::spawn(self.clone().until_closed(closing.clone(), Self::keep_asking));
        tokio::spawn(self.clone().until_closed(closing, Self::keep_alive));
    }

    async fn until_closed<F: Future<Output = ()>>(
        self,
        mut closing: watch::Receiver<bool>,
        task: impl FnOnce(Self) -> F,
    ) {
        tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => {}
            () = task(self) => {}
        }
    }

    /// Tells others of what changes.
    async fn keep_telling(self) {
        loop {
            if let Err(error) = self.follow_stream().await {
                tracing::error!(%error, "cannot tell other servers of devices for now");
            }
            self.ambient.clock.sleep(PAUSE).await;
        }
    }

    async fn follow_stream(&self) -> Result<(), StorageError> {
        let mut head = self.store.follow();
        let mut saved = self.told().await?;
        let mut since = saved;
        loop {
            let until = head.see();
            if until > since {
                saved = self.tell(saved, since, until).await?;
                since = until;
            }
            if head.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    /// Asks for lists that are stale: when one becomes so, and again after a while.
    async fn keep_asking(self) {
        loop {
            if let Err(error) = self.ask_for_lists().await {
                tracing::error!(%error, "cannot ask for lists of devices for now");
            }
            tokio::select! {
                biased;
                () = self.missed.notified() => {}
                () = self.ambient.clock.sleep(RETRY) => {}
            }
        }
    }

    async fn ask_for_lists(&self) -> Result<(), StorageError> {
        let stale = self.store.stale_device_lists(LISTS).await?;
        let asked = stream::iter(stale).map(|user| self.ask_for_list(user)).buffer_unordered(AT_ONCE);
        let asked: Vec<Result<bool, StorageError>> = asked.collect().await;
        asked.into_iter().collect::<Result<Vec<bool>, _>>().map(drop)
    }
}
