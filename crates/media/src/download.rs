//! Downloads: finding media, waiting for what is still to come, and reading it in pieces.

use std::{io, ops::Range, time::Duration};

use bytes::Bytes;
use futures_util::Stream;
use parvis_storage::{ContentHash, MediaContent};

use crate::{DownloadError, Media, engine::is_media_id};

/// How long one who waits for content goes without asking the database: the content may have come to another
/// process.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Media {
    /// The content of media. Those of other servers are fetched from there, once. Where the content has not come
    /// yet, waits for it, for as long as the client and the settings allow.
    ///
    /// # Errors
    /// [`DownloadError`].
    pub async fn find(
        &self,
        (server_name, media_id): (&str, &str),
        wait: Duration,
    ) -> Result<MediaContent, DownloadError> {
        if !is_media_id(media_id) {
            return Err(DownloadError::NotFound);
        }
        match self.is_ours(server_name, media_id) {
            true => self.find_own(media_id, wait).await,
            false => self.find_remote((server_name, media_id), wait).await,
        }
    }

    async fn find_own(&self, media_id: &str, wait: Duration) -> Result<MediaContent, DownloadError> {
        let mut arrivals = self.arrivals.subscribe();
        let until = self.ambient.now().plus(wait.min(self.settings.max_wait));
        loop {
            let closed = arrivals.borrow_and_update().closed;
            let media = self.store.media(media_id).await?.ok_or(DownloadError::NotFound)?;
            if let Some(content) = media.content {
                return Ok(content);
            }
            if self.has_expired(&media) {
                return Err(DownloadError::NotFound);
            }
            let left = until.since(self.ambient.now());
            if closed || left.is_zero() {
                return Err(DownloadError::NotYetUploaded);
            }
            tokio::select! {
                // The sender lives as long as `self`.
                _ = arrivals.changed() => {}
                () = self.ambient.clock.sleep(left.min(ASK_AGAIN)) => {}
            }
        }
    }

    /// The content of media for one who has not said who they are: only what was stored here before the
    /// organisation closed that way. While it is open, other servers are asked for their media, if the client
    /// wants that (`ask_others`); later none is for the sake of a stranger.
    ///
    /// # Errors
    /// As for [`find`](Self::find).
    pub async fn find_open(
        &self,
        uri: (&str, &str),
        wait: Duration,
        ask_others: bool,
    ) -> Result<MediaContent, DownloadError> {
        let Some(before) = self.settings.open_before else { return Err(DownloadError::NotFound) };
        let is_open_now = self.ambient.now() < before;
        let content = match self.is_ours(uri.0, uri.1) {
            true => self.find_own(uri.1, wait).await?,
            false if is_open_now && ask_others => self.find(uri, wait).await?,
            false => self.store.remote_media(uri).await?.ok_or(DownloadError::NotFound)?,
        };
        if content.stored_ts < before.millis() { Ok(content) } else { Err(DownloadError::NotFound) }
    }

    /// A part of a content, in pieces.
    ///
    /// # Errors
    /// [`DownloadError::File`] if there is no such file.
    pub async fn read(
        &self,
        hash: &ContentHash,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>, DownloadError> {
        Ok(self.blobs.read(hash, range).await?)
    }
}
