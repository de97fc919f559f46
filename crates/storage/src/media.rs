//! Media: what users have uploaded, and the thumbnails that were made of it.
//!
//! Only the facts are here. The bytes lie in files outside the database, under the hash of their content; this
//! module does not know where, and a file may stand behind any number of rows.

use crate::{
    UserSn,
    error::StorageError,
    statement::statements,
    store::Store,
    value::{Row, Value},
    write_set::WriteSet,
};

statements! {
    PUT_MEDIA(rows of 9, key 1) =
        "INSERT INTO media (media_id, uploader_sn, created_ts, expires_ts, hash, size_bytes, content_type, filename,
             stored_ts)
         VALUES {rows}
         ON CONFLICT (media_id) DO UPDATE SET expires_ts = excluded.expires_ts, hash = excluded.hash,
             size_bytes = excluded.size_bytes, content_type = excluded.content_type,
             filename = excluded.filename, stored_ts = excluded.stored_ts";
    MEDIA = "SELECT media_id, uploader_sn, created_ts, expires_ts, hash, size_bytes, content_type, filename,
        stored_ts FROM media WHERE media_id = $1";
    MEDIA_WITH_CONTENT = "SELECT media_id FROM media WHERE media_id = $1 AND hash IS NOT NULL";
    COUNT_UNUSED_MEDIA =
        "SELECT COUNT(*) FROM media WHERE uploader_sn = $1 AND hash IS NULL AND expires_ts > $2";
    FORGET_UNUSED_MEDIA =
        "DELETE FROM media WHERE uploader_sn = $1 AND hash IS NULL AND expires_ts <= $2";
    PUT_THUMBNAIL(rows of 7, key 4) =
        "INSERT INTO thumbnails (source_hash, width, height, method, hash, size_bytes, content_type) VALUES {rows}
         ON CONFLICT (source_hash, width, height, method) DO UPDATE SET hash = excluded.hash,
             size_bytes = excluded.size_bytes, content_type = excluded.content_type";
    THUMBNAIL = "SELECT hash, size_bytes, content_type FROM thumbnails
        WHERE source_hash = $1 AND width = $2 AND height = $3 AND method = $4";
}

/// The BLAKE3 hash of a file's bytes, under which the file lies.
pub type ContentHash = [u8; 32];

/// Something that a user uploaded, or said they would upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMedia {
    /// The second part of its `mxc://` URI.
    pub media_id: String,
    /// Whose it is.
    pub uploader: UserSn,
    /// When its id was given, in milliseconds since the Unix epoch.
    pub created_ts: i64,
    /// Until when its content may come, where the id was given before the content came.
    pub expires_ts: Option<i64>,
    /// The content, once it has come.
    pub content: Option<MediaContent>,
}

/// The content of media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaContent {
    /// Under which the bytes lie.
    pub hash: ContentHash,
    /// How many bytes there are.
    pub size_bytes: u64,
    /// The content type that the uploader named.
    pub content_type: String,
    /// The file name that the uploader named.
    pub filename: Option<String>,
    /// When the content came, in milliseconds since the Unix epoch.
    pub stored_ts: i64,
}

/// A smaller form of an image: how it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ThumbnailKey {
    /// The content of which it was made.
    pub source: ContentHash,
    /// The width that it was made for, in pixels.
    pub width: u32,
    /// The height that it was made for, in pixels.
    pub height: u32,
    /// How it was fitted: `crop` or `scale`.
    pub method: String,
}

/// A thumbnail that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredThumbnail {
    /// Under which the bytes lie.
    pub hash: ContentHash,
    /// How many bytes there are.
    pub size_bytes: u64,
    /// The content type of the bytes.
    pub content_type: String,
}

impl WriteSet {
    /// Keeps media: a new id, with or without content.
    pub fn put_media(&mut self, media: &StoredMedia) {
        let mut values = vec![
            media.media_id.as_str().into(),
            media.uploader.into(),
            media.created_ts.into(),
            media.expires_ts.into(),
        ];
        values.extend(match &media.content {
            Some(content) => [
                content.hash.as_slice().into(),
                whole(content.size_bytes),
                content.content_type.as_str().into(),
                content.filename.as_deref().into(),
                content.stored_ts.into(),
            ],
            None => [Value::Bytes(None), Value::NO_INT, Value::Text(None), Value::Text(None), Value::NO_INT],
        });
        self.write(&PUT_MEDIA, values);
    }

    /// Gives media its content. Refused with the guard `media_unused` if it has some already.
    pub fn fill_media(&mut self, media: &StoredMedia) {
        self.demand_absent("media_unused", &MEDIA_WITH_CONTENT, vec![media.media_id.as_str().into()]);
        self.put_media(media);
    }

    /// Forgets a user's media whose content did not come in time.
    pub fn forget_unused_media(&mut self, uploader: UserSn, now_ts: i64) {
        self.write(&FORGET_UNUSED_MEDIA, vec![uploader.into(), now_ts.into()]);
    }

    /// Keeps a thumbnail.
    pub fn put_thumbnail(&mut self, key: &ThumbnailKey, thumbnail: &StoredThumbnail) {
        let mut values = key_values(key);
        values.extend([
            thumbnail.hash.as_slice().into(),
            whole(thumbnail.size_bytes),
            thumbnail.content_type.as_str().into(),
        ]);
        self.write(&PUT_THUMBNAIL, values);
    }
}

impl Store {
    /// Media by its id.
    pub async fn media(&self, media_id: &str) -> Result<Option<StoredMedia>, StorageError> {
        let row = self.engine.fetch_one(&MEDIA, vec![media_id.into()]).await?;
        row.map(|row| media_from_row(&row)).transpose()
    }

    /// How many ids a user holds whose content has not come and may still come.
    pub async fn count_unused_media(&self, uploader: UserSn, now_ts: i64) -> Result<u64, StorageError> {
        let row = self.engine.fetch_one(&COUNT_UNUSED_MEDIA, vec![uploader.into(), now_ts.into()]).await?;
        let count = row.map_or(Ok(0), |row| row.int(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// A thumbnail that was made before.
    pub async fn thumbnail(&self, key: &ThumbnailKey) -> Result<Option<StoredThumbnail>, StorageError> {
        let row = self.engine.fetch_one(&THUMBNAIL, key_values(key)).await?;
        row.map(|row| {
            Ok(StoredThumbnail {
                hash: content_hash(row.bytes(0)?)?,
                size_bytes: size(row.int(1)?)?,
                content_type: row.text(2)?,
            })
        })
        .transpose()
    }
}

fn key_values(key: &ThumbnailKey) -> Vec<Value> {
    vec![key.source.as_slice().into(), key.width.into(), key.height.into(), key.method.as_str().into()]
}

fn media_from_row(row: &Row) -> Result<StoredMedia, StorageError> {
    let content = match row.opt_bytes(4)? {
        Some(hash) => Some(MediaContent {
            hash: content_hash(hash)?,
            size_bytes: size(row.int(5)?)?,
            content_type: row.text(6)?,
            filename: row.opt_text(7)?,
            stored_ts: row.int(8)?,
        }),
        None => None,
    };
    Ok(StoredMedia {
        media_id: row.text(0)?,
        uploader: UserSn(row.int(1)?),
        created_ts: row.int(2)?,
        expires_ts: row.opt_int(3)?,
        content,
    })
}

pub(crate) fn whole(size_bytes: u64) -> Value {
    i64::try_from(size_bytes).unwrap_or(i64::MAX).into()
}

pub(crate) fn size(stored: i64) -> Result<u64, StorageError> {
    u64::try_from(stored).map_err(|_| StorageError::Corrupt("the size of a file".to_owned()))
}

pub(crate) fn content_hash(bytes: Vec<u8>) -> Result<ContentHash, StorageError> {
    bytes.try_into().map_err(|_| StorageError::Corrupt("the hash of a file".to_owned()))
}
