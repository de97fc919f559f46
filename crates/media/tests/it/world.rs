//! A homeserver's media in a directory of its own.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use parvis_ambient::{Ambient, SeededChance, TestClock};
use parvis_media::{DownloadError, Media, MediaContent, Offer, Settings, UploadError};
use parvis_storage::{DatabaseSettings, Store, StoreSettings};
use ruma::{OwnedMxcUri, UserId, server_name, user_id};

pub(crate) const NO_WAIT: Duration = Duration::ZERO;

pub(crate) struct World {
    pub(crate) media: Media,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) directory: tempfile::TempDir,
}

pub(crate) fn alice() -> &'static UserId {
    user_id!("@alice:parvis.test")
}

pub(crate) fn bob() -> &'static UserId {
    user_id!("@bob:parvis.test")
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A world with some settings changed.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings::in_directory(directory.path().join("media"));
        change(&mut settings);
        let path = directory.path().join("parvis.db");
        let database = DatabaseSettings::Sqlite { path, readers: 2, relaxed_durability: true };
        let store = Store::open(&StoreSettings { database, cache_bytes: 1 << 20 }).await.unwrap();
        let clock = Arc::new(TestClock::starting_at(1_000_000));
        let ambient = Ambient { clock: clock.clone(), chance: Arc::new(SeededChance::new(1)) };
        let server_name = server_name!("parvis.test").to_owned();
        let media = Media::open(settings, store, ambient, server_name).await.unwrap();
        Self { media, clock, directory }
    }

    /// Uploads bytes at once.
    pub(crate) async fn upload(&self, bytes: &[u8]) -> Result<OwnedMxcUri, UploadError> {
        self.media.upload(alice(), &Offer::default(), body([bytes])).await
    }

    pub(crate) async fn find(&self, uri: &OwnedMxcUri) -> Result<MediaContent, DownloadError> {
        self.media.find(parts(uri), NO_WAIT).await
    }

    /// All bytes behind a hash.
    pub(crate) async fn bytes(&self, hash: &[u8; 32], size_bytes: u64) -> Vec<u8> {
        collect(self.media.read(hash, 0..size_bytes).await.unwrap()).await
    }

    /// Every file below the directory of media, sorted.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        walk(&self.directory.path().join("media"), &mut files);
        files.sort();
        files
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}

pub(crate) fn parts(uri: &OwnedMxcUri) -> (&str, &str) {
    let (server_name, media_id) = uri.parts().unwrap();
    (server_name.as_str(), media_id)
}

/// A body that comes in these pieces.
pub(crate) fn body<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin {
    stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect::<Vec<_>>())
}

pub(crate) async fn collect(stream: impl Stream<Item = std::io::Result<Bytes>>) -> Vec<u8> {
    let pieces: Vec<_> = stream.collect().await;
    pieces.into_iter().flat_map(|piece| piece.unwrap().to_vec()).collect()
}
