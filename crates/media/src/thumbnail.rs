//! Thumbnails: made when first asked for, by few workers, and kept.

use std::time::Duration;

use parvis_storage::{MediaContent, StoredThumbnail, ThumbnailKey, WriteSet};
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    DownloadError, Media, ThumbnailError, ThumbnailRequest,
    blobs::Kept,
    picture::{self, Made, PictureError},
};

impl Media {
    /// A still thumbnail of media, made here if that can be done, and else by the server of the media.
    ///
    /// # Errors
    /// [`ThumbnailError`], where none can be made.
    pub async fn thumbnail_of(
        &self,
        uri: (&str, &str),
        wait: Duration,
        request: ThumbnailRequest,
    ) -> Result<StoredThumbnail, ThumbnailError> {
        let made = match self.find(uri, wait).await {
            Ok(content) => self.thumbnail(&content, request).await,
            Err(error) => Err(error.into()),
        };
        match made {
            Err(
                ThumbnailError::NotAnImage
                | ThumbnailError::TooLarge
                | ThumbnailError::Original(DownloadError::TooLarge(_)),
            ) if uri.0 != self.server_name.as_str() => self.remote_thumbnail(uri, request, wait).await,
            other => other,
        }
    }

    /// A still thumbnail of an image, at least as large as asked for unless the image is smaller. Read it with
    /// [`read`](Self::read).
    ///
    /// # Errors
    /// [`ThumbnailError`], where none can be made.
    pub async fn thumbnail(
        &self,
        content: &MediaContent,
        request: ThumbnailRequest,
    ) -> Result<StoredThumbnail, ThumbnailError> {
        if request.width == 0 || request.height == 0 {
            return Err(ThumbnailError::NoSize);
        }
        let request = request.rounded(self.settings.max_thumbnail_width, self.settings.max_thumbnail_height);
        let key = ThumbnailKey {
            source: content.hash,
            width: request.width,
            height: request.height,
            method: request.method.as_str().to_owned(),
        };
        if let Some(thumbnail) = self.store.thumbnail(&key).await? {
            return Ok(thumbnail);
        }
        if content.size_bytes > self.settings.max_image_bytes {
            return Err(ThumbnailError::TooLarge);
        }
        let _place = self.queue.try_acquire().map_err(|_| ThumbnailError::Busy)?;
        let worker = self.workers.clone().acquire_owned().await.map_err(|_| ThumbnailError::Busy)?;
        // A room asks for the same thumbnail all at once: who has waited finds it made.
        if let Some(thumbnail) = self.store.thumbnail(&key).await? {
            return Ok(thumbnail);
        }
        let made = self.work_on(content, request, worker).await?;
        self.keep_thumbnail(content, &key, made).await
    }

    /// Makes an image on a blocking thread. The worker is free once what it made is gone, so that the next one
    /// finds it kept; and not before the work ends, even if nobody waits for it any more.
    async fn work_on(
        &self,
        content: &MediaContent,
        request: ThumbnailRequest,
        worker: OwnedSemaphorePermit,
    ) -> Result<(Made, OwnedSemaphorePermit), ThumbnailError> {
        let path = self.blobs.path(&content.hash);
        let max_pixels = self.settings.max_image_pixels;
        let work =
            tokio::task::spawn_blocking(move || (picture::thumbnail(&path, request, max_pixels), worker));
        match work.await {
            Ok((made, worker)) => Ok((made?, worker)),
            Err(error) => {
                tracing::error!(%error, "an image broke its decoder");
                Err(ThumbnailError::NotAnImage)
            }
        }
    }

    async fn keep_thumbnail(
        &self,
        content: &MediaContent,
        key: &ThumbnailKey,
        (made, _worker): (Made, OwnedSemaphorePermit),
    ) -> Result<StoredThumbnail, ThumbnailError> {
        let (kept, content_type) = match made {
            Made::Original { content_type } => {
                (Kept { hash: content.hash, size_bytes: content.size_bytes }, content_type)
            }
            Made::Encoded { bytes, content_type } => {
                let mut incoming = self.blobs.begin(&self.ambient.chance.text(32)).await?;
                incoming.write(&bytes).await?;
                (self.blobs.keep(incoming).await?, content_type)
            }
        };
        let thumbnail = StoredThumbnail {
            hash: kept.hash,
            size_bytes: kept.size_bytes,
            content_type: content_type.to_owned(),
        };
        let mut set = WriteSet::new();
        set.put_thumbnail(key, &thumbnail);
        self.store.commit(set).await?;
        Ok(thumbnail)
    }
}

impl From<PictureError> for ThumbnailError {
    fn from(error: PictureError) -> Self {
        match error {
            PictureError::NotAnImage => Self::NotAnImage,
            PictureError::TooLarge => Self::TooLarge,
            PictureError::File(error) => Self::File(error),
        }
    }
}
