//! Uploads: at once, or in two steps where the id is given before the content comes.

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use parvis_ambient::Timestamp;
use parvis_storage::{MediaContent, StoredMedia, UserSn, WriteSet};
use ruma::{OwnedMxcUri, UserId};

use crate::{Media, UploadError, blobs::Kept, labels};

/// Letters and digits in a media id: 190 bits, which nobody guesses.
const MEDIA_ID_LENGTH: usize = 32;

/// What the client says about the file that it is about to send.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// Of what kind it is.
    pub content_type: Option<String>,
    /// What it is called.
    pub filename: Option<String>,
    /// How many bytes it has.
    pub size_bytes: Option<u64>,
}

/// An id whose content is still to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The URI.
    pub uri: OwnedMxcUri,
    /// Until when the content must come.
    pub unused_expires_at: Timestamp,
}

impl Media {
    /// Keeps a file, and gives its URI once it is durable.
    ///
    /// # Errors
    /// [`UploadError::TooLarge`], as soon as that is known; [`UploadError::Interrupted`]; or a failure of ours.
    pub async fn upload<S, E>(
        &self,
        uploader: &UserId,
        offer: &Offer,
        body: S,
    ) -> Result<OwnedMxcUri, UploadError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    {
        let kept = self.receive(offer, body).await?;
        let now = self.ambient.now().millis();
        let media = StoredMedia {
            media_id: self.ambient.chance.text(MEDIA_ID_LENGTH),
            uploader: self.store.intern_user(uploader).await?,
            created_ts: now,
            expires_ts: None,
            content: Some(content(kept, offer, now)),
        };
        let mut set = WriteSet::new();
        set.put_media(&media);
        self.store.commit(set).await?;
        Ok(self.uri(&media.media_id))
    }

    /// Gives a URI whose content is still to come
    /// (<https://spec.matrix.org/v1.19/client-server-api/#post_matrixmediav1create>).
    ///
    /// # Errors
    /// [`UploadError::TooManyUnused`], or a failure of ours.
    pub async fn create(&self, uploader: &UserId) -> Result<Created, UploadError> {
        let uploader = self.store.intern_user(uploader).await?;
        let now = self.ambient.now();
        let unused = self.store.count_unused_media(uploader, now.millis()).await?;
        if unused >= self.settings.max_unused_per_user {
            return Err(UploadError::TooManyUnused);
        }
        let expires = now.plus(self.settings.unused_lifetime);
        let media = StoredMedia {
            media_id: self.ambient.chance.text(MEDIA_ID_LENGTH),
            uploader,
            created_ts: now.millis(),
            expires_ts: Some(expires.millis()),
            content: None,
        };
        let mut set = WriteSet::new();
        set.forget_unused_media(uploader, now.millis());
        set.put_media(&media);
        self.store.commit(set).await?;
        Ok(Created { uri: self.uri(&media.media_id), unused_expires_at: expires })
    }

    /// Keeps a file as the content of an id that was created before
    /// (<https://spec.matrix.org/v1.19/client-server-api/#put_matrixmediav3uploadservernamemediaid>).
    ///
    /// # Errors
    /// As for [`upload`](Self::upload); and [`UploadError::NotFound`], [`UploadError::NotYours`],
    /// [`UploadError::AlreadyUploaded`], of which the body is not read first.
    pub async fn upload_to<S, E>(
        &self,
        uploader: &UserId,
        (server_name, media_id): (&str, &str),
        offer: &Offer,
        body: S,
    ) -> Result<(), UploadError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    {
        if !self.is_ours(server_name, media_id) {
            return Err(UploadError::NotFound);
        }
        let uploader = self.store.intern_user(uploader).await?;
        let mut media = self.store.media(media_id).await?.ok_or(UploadError::NotFound)?;
        self.check_may_fill(&media, uploader)?;
        let kept = self.receive(offer, body).await?;
        media.content = Some(content(kept, offer, self.ambient.now().millis()));
        let mut set = WriteSet::new();
        set.fill_media(&media);
        self.store.commit(set).await?;
        self.arrivals.send_modify(|arrivals| arrivals.count = arrivals.count.wrapping_add(1));
        Ok(())
    }

    fn check_may_fill(&self, media: &StoredMedia, uploader: UserSn) -> Result<(), UploadError> {
        if media.uploader != uploader {
            Err(UploadError::NotYours)
        } else if media.content.is_some() {
            Err(UploadError::AlreadyUploaded)
        } else if self.has_expired(media) {
            Err(UploadError::NotFound)
        } else {
            Ok(())
        }
    }

    /// Writes a body into a file.
    async fn receive<S, E>(&self, offer: &Offer, mut body: S) -> Result<Kept, UploadError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    {
        let limit = self.settings.max_upload_bytes;
        if offer.size_bytes.is_some_and(|size| size > limit) {
            return Err(UploadError::TooLarge(limit));
        }
        let mut incoming = self.blobs.begin(&self.ambient.chance.text(MEDIA_ID_LENGTH)).await?;
        while let Some(chunk) = self.next_chunk(&mut body).await? {
            if incoming.size_bytes().saturating_add(chunk.len() as u64) > limit {
                return Err(UploadError::TooLarge(limit));
            }
            incoming.write(&chunk).await?;
        }
        Ok(self.blobs.keep(incoming).await?)
    }

    async fn next_chunk<S, E>(&self, body: &mut S) -> Result<Option<Bytes>, UploadError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    {
        tokio::select! {
            chunk = body.next() => chunk.transpose().map_err(|_| UploadError::Interrupted),
            () = self.ambient.clock.sleep(self.settings.upload_idle_timeout) => Err(UploadError::Interrupted),
        }
    }
}

fn content(kept: Kept, offer: &Offer, stored_ts: i64) -> MediaContent {
    MediaContent {
        hash: kept.hash,
        size_bytes: kept.size_bytes,
        content_type: labels::content_type(offer.content_type.as_deref()),
        filename: labels::filename(offer.filename.as_deref()),
        stored_ts,
    }
}
