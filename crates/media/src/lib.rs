//! Media: what users upload, its download, thumbnails of it, and what was fetched from other servers.
//!
//! Bytes lie in files under the hash of their content; the facts about them lie in the database. A
//! file is never whole in memory: it is hashed while it is written, and read in pieces. Images are decoded only
//! within bounds of pixels, bytes and workers. This crate knows nothing of HTTP, of rooms, or of who may see
//! what: whoever knows a media id, which cannot be guessed, may ask for it.

mod blobs;
mod disposition;
mod download;
mod engine;
mod error;
mod labels;
mod multipart;
mod one_at_a_time;
mod picture;
mod preview;
mod remote;
mod settings;
mod sizes;
mod thumbnail;
mod upload;
mod web;

pub use disposition::content_disposition;
pub use engine::Media;
pub use error::{DownloadError, ThumbnailError, UploadError};
pub use parvis_storage::{ContentHash, MediaContent, StoredThumbnail};
pub use settings::Settings;
pub use sizes::{Method, ThumbnailRequest};
pub use upload::{Created, Offer};
pub use web::{PreviewError, PreviewSettings};
