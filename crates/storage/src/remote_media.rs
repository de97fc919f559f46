//! Media of other servers: what was fetched for users of this one.
//!
//! Only the facts are here, as for [`media`](crate::media).

use crate::{
    error::StorageError,
    media::{MediaContent, StoredThumbnail, content_hash, size, whole},
    statement::statements,
    store::Store,
    value::Value,
    write_set::WriteSet,
};

statements! {
    PUT_REMOTE_MEDIA(rows of 7, key 2) =
        "INSERT INTO remote_media (server_name, media_id, hash, size_bytes, content_type, filename, stored_ts)
         VALUES {rows}
         ON CONFLICT (server_name, media_id) DO NOTHING";
    REMOTE_MEDIA = "SELECT hash, size_bytes, content_type, filename, stored_ts FROM remote_media
        WHERE server_name = $1 AND media_id = $2";
    PUT_REMOTE_THUMBNAIL(rows of 8, key 5) =
        "INSERT INTO remote_thumbnails (server_name, media_id, width, height, method, hash, size_bytes, content_type)
         VALUES {rows}
         ON CONFLICT (server_name, media_id, width, height, method) DO NOTHING";
    REMOTE_THUMBNAIL = "SELECT hash, size_bytes, content_type FROM remote_thumbnails
        WHERE server_name = $1 AND media_id = $2 AND width = $3 AND height = $4 AND method = $5";
}

/// A thumbnail as another server is asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteThumbnailKey {
    /// The first part of the `mxc://` URI of the original.
    pub server_name: String,
    /// The second part.
    pub media_id: String,
    /// The width that it is made for, in pixels.
    pub width: u32,
    /// The height that it is made for, in pixels.
    pub height: u32,
    /// How it is fitted: `crop` or `scale`.
    pub method: String,
}

impl WriteSet {
    /// Keeps media of another server. What was kept first stays: media never change.
    pub fn put_remote_media(&mut self, (server_name, media_id): (&str, &str), content: &MediaContent) {
        let values = vec![
            server_name.into(),
            media_id.into(),
            content.hash.as_slice().into(),
            whole(content.size_bytes),
            content.content_type.as_str().into(),
            content.filename.as_deref().into(),
            content.stored_ts.into(),
        ];
        self.write(&PUT_REMOTE_MEDIA, values);
    }

    /// Keeps a thumbnail that another server made.
    pub fn put_remote_thumbnail(&mut self, key: &RemoteThumbnailKey, thumbnail: &StoredThumbnail) {
        let mut values = key_values(key);
        values.extend([
            thumbnail.hash.as_slice().into(),
            whole(thumbnail.size_bytes),
            thumbnail.content_type.as_str().into(),
        ]);
        self.write(&PUT_REMOTE_THUMBNAIL, values);
    }
}

impl Store {
    /// Media of another server, if they were fetched before.
    pub async fn remote_media(
        &self,
        (server_name, media_id): (&str, &str),
    ) -> Result<Option<MediaContent>, StorageError> {
        let values = vec![server_name.into(), media_id.into()];
        let row = self.engine.fetch_one(&REMOTE_MEDIA, values).await?;
        row.map(|row| {
            Ok(MediaContent {
                hash: content_hash(row.bytes(0)?)?,
                size_bytes: size(row.int(1)?)?,
                content_type: row.text(2)?,
                filename: row.opt_text(3)?,
                stored_ts: row.int(4)?,
            })
        })
        .transpose()
    }

    /// A thumbnail that another server made, if it was fetched before.
    pub async fn remote_thumbnail(
        &self,
        key: &RemoteThumbnailKey,
    ) -> Result<Option<StoredThumbnail>, StorageError> {
        let row = self.engine.fetch_one(&REMOTE_THUMBNAIL, key_values(key)).await?;
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

fn key_values(key: &RemoteThumbnailKey) -> Vec<Value> {
    vec![
        key.server_name.as_str().into(),
        key.media_id.as_str().into(),
        key.width.into(),
        key.height.into(),
        key.method.as_str().into(),
    ]
}
