//! Files on disk, each under the hash of its content: `<directory>/ab/cd/<hash>`.
//!
//! A file is written under a name of its own, made durable, and only then moved to its place; so whatever lies in
//! its place is whole. A path is made from a hash alone: no word of a client ever reaches it. This module does
//! not know what the files are.

use std::{
    fmt::Write as _,
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures_util::Stream;
use parvis_storage::ContentHash;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
};
use tokio_util::io::ReaderStream;

/// How many bytes are read from a file at a time.
const READ_BYTES: usize = 64 * 1024;
/// The folder of files that are being written.
const INCOMING: &str = "incoming";

/// The files of one homeserver.
#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    directory: PathBuf,
}

/// A file that is being written. If it is dropped unfinished, nothing is left.
#[derive(Debug)]
pub(crate) struct Incoming {
    file: File,
    path: TemporaryPath,
    hasher: blake3::Hasher,
    size_bytes: u64,
}

/// A file that is in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) hash: ContentHash,
    pub(crate) size_bytes: u64,
}

impl Blobs {
    /// Makes the directory if it is absent, and removes what an earlier run left unfinished.
    pub(crate) async fn open(directory: PathBuf) -> io::Result<Self> {
        blocking(move || {
            let incoming = directory.join(INCOMING);
            std::fs::create_dir_all(&incoming)?;
            for left in std::fs::read_dir(&incoming)? {
                std::fs::remove_file(left?.path())?;
            }
            Ok(Self { directory })
        })
        .await
    }

    /// Starts a file. No two files that are being written may have the same `name`.
    pub(crate) async fn begin(&self, name: &str) -> io::Result<Incoming> {
        let path = self.directory.join(INCOMING).join(name);
        let file = File::create_new(&path).await?;
        Ok(Incoming { file, path: TemporaryPath(path), hasher: blake3::Hasher::new(), size_bytes: 0 })
    }

    /// Puts a finished file into its place. When this returns it is durable.
    pub(crate) async fn keep(&self, incoming: Incoming) -> io::Result<Kept> {
        let Incoming { mut file, path, hasher, size_bytes } = incoming;
        file.flush().await?;
        file.sync_all().await?;
        drop(file);
        let hash = *hasher.finalize().as_bytes();
        let target = self.path(&hash);
        let directory = self.directory.clone();
        blocking(move || move_into_place(&path.0, &target, &directory)).await?;
        Ok(Kept { hash, size_bytes })
    }

    /// Where the content with this hash lies.
    pub(crate) fn path(&self, hash: &ContentHash) -> PathBuf {
        let mut name = String::with_capacity(64);
        for byte in hash {
            // Writing into a string cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        self.directory.join(&name[0..2]).join(&name[2..4]).join(name)
    }

    /// Reads a part of a file, in pieces.
    pub(crate) async fn read(
        &self,
        hash: &ContentHash,
        range: Range<u64>,
    ) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
        let mut file = File::open(self.path(hash)).await?;
        if range.start > 0 {
            file.seek(io::SeekFrom::Start(range.start)).await?;
        }
        let part = file.take(range.end.saturating_sub(range.start));
        Ok(ReaderStream::with_capacity(part, READ_BYTES))
    }
}

impl Incoming {
    pub(crate) async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.hasher.update(chunk);
        self.size_bytes += chunk.len() as u64;
        self.file.write_all(chunk).await
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

/// A file that is removed when nobody holds this any more. Where it has been moved away, there is nothing to remove.
#[derive(Debug)]
struct TemporaryPath(PathBuf);

impl Drop for TemporaryPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Moves a file to `target`, two folders below `directory`, and makes the folders on the way durable.
fn move_into_place(from: &Path, target: &Path, directory: &Path) -> io::Result<()> {
    let Some(folder) = target.parent() else { return Err(io::ErrorKind::InvalidInput.into()) };
    std::fs::create_dir_all(folder)?;
    std::fs::rename(from, target)?;
    for folder in folder.ancestors().take_while(|folder| folder.starts_with(directory)) {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
