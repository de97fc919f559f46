//! What an organisation decides about media.

use std::{path::PathBuf, time::Duration};

use parvis_ambient::Timestamp;

/// What an organisation decides about media.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the files lie. Belongs to one homeserver alone: what an earlier run left half-written there is
    /// removed at the start.
    pub directory: PathBuf,
    /// The largest file, in bytes.
    pub max_upload_bytes: u64,
    /// An upload which brings nothing for so long is given up.
    pub upload_idle_timeout: Duration,
    /// For how long an id that was created before its content waits for the content.
    pub unused_lifetime: Duration,
    /// How many ids without content a user may hold.
    pub max_unused_per_user: u64,
    /// For how long a download waits at most for content that has not come yet.
    pub max_wait: Duration,
    /// Media stored before this time are given to clients without authentication too; `None` where nothing is
    /// (<https://spec.matrix.org/v1.19/client-server-api/#content-repo-client-behaviour>).
    pub open_before: Option<Timestamp>,
    /// The largest image, in pixels, that is decoded to make a thumbnail. A pixel costs up to ten bytes of memory
    /// while it is worked on.
    pub max_image_pixels: u64,
    /// The largest file, in bytes, that is decoded to make a thumbnail.
    pub max_image_bytes: u64,
    /// The widest thumbnail, in pixels. Who asks for more gets the size of the original.
    pub max_thumbnail_width: u32,
    /// The highest thumbnail, in pixels. Who asks for more gets the size of the original.
    pub max_thumbnail_height: u32,
    /// How many images are worked on at a time.
    pub image_workers: usize,
    /// How many requests may wait for a worker; more are refused.
    pub image_queue: usize,
}

impl Settings {
    /// The defaults, with the files in `directory`.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            max_upload_bytes: 50 << 20,
            upload_idle_timeout: Duration::from_secs(60),
            unused_lifetime: Duration::from_secs(24 * 60 * 60),
            max_unused_per_user: 50,
            max_wait: Duration::from_secs(60),
            open_before: None,
            max_image_pixels: 50_000_000,
            max_image_bytes: 50 << 20,
            max_thumbnail_width: 1600,
            max_thumbnail_height: 1200,
            image_workers: 2,
            image_queue: 500,
        }
    }
}
