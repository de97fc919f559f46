//! The engine itself: what its operations have in hand.

use std::{io, sync::Arc};

use parvis_ambient::Ambient;
use parvis_peers::Federation;
use parvis_storage::{Store, StoredMedia};
use ruma::{MxcUri, OwnedMxcUri, OwnedServerName};
use tokio::sync::{Semaphore, watch};

use crate::{Settings, blobs::Blobs, one_at_a_time::OneAtATime, web::Previews};

/// How many files are fetched from other servers at a time.
const FETCHES: usize = 50;

/// A homeserver's media. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Media {
    pub(crate) store: Store,
    pub(crate) ambient: Ambient,
    pub(crate) server_name: OwnedServerName,
    pub(crate) settings: Arc<Settings>,
    pub(crate) blobs: Blobs,
    /// Wakes those who wait for content.
    pub(crate) arrivals: watch::Sender<Arrivals>,
    /// Those who work on images.
    pub(crate) workers: Arc<Semaphore>,
    /// Those who work on images or wait to do so.
    pub(crate) queue: Arc<Semaphore>,
    /// How other servers are asked for their media; nothing where they are not.
    pub(crate) federation: Option<Federation>,
    /// Those who fetch something from another server.
    pub(crate) fetches: Arc<Semaphore>,
    /// What is being fetched.
    pub(crate) fetching: OneAtATime<(String, String)>,
    /// How previews of pages are made; nothing where they are not.
    pub(crate) previews: Option<Previews>,
    /// The pages that are being looked at.
    pub(crate) previewing: OneAtATime<(String, String)>,
}

/// What those who wait for content want to know.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arrivals {
    /// How many contents have come after their ids, in this process.
    pub(crate) count: u64,
    /// Whether waiting has come to its end.
    pub(crate) closed: bool,
}

impl Media {
    /// Opens the directory of files, making it if it is absent.
    ///
    /// # Errors
    /// If the directory cannot be made or written.
    pub async fn open(
        settings: Settings,
        store: Store,
        ambient: Ambient,
        server_name: OwnedServerName,
    ) -> io::Result<Self> {
        let workers = settings.image_workers.max(1);
        let queue = workers.saturating_add(settings.image_queue).min(Semaphore::MAX_PERMITS);
        Ok(Self {
            blobs: Blobs::open(settings.directory.clone()).await?,
            store,
            ambient,
            server_name,
            settings: Arc::new(settings),
            arrivals: watch::Sender::default(),
            workers: Arc::new(Semaphore::new(workers.min(Semaphore::MAX_PERMITS))),
            queue: Arc::new(Semaphore::new(queue)),
            federation: None,
            fetches: Arc::new(Semaphore::new(FETCHES)),
            fetching: OneAtATime::default(),
            previews: None,
            previewing: OneAtATime::default(),
        })
    }

    /// This engine, fetching media of other servers too.
    #[must_use]
    pub fn reaching(self, federation: Federation) -> Self {
        Self { federation: Some(federation), ..self }
    }

    /// Ends all waiting for content that is still to come, now and from now on.
    pub fn close(&self) {
        self.arrivals.send_modify(|arrivals| arrivals.closed = true);
    }

    /// The largest file that may be uploaded, in bytes.
    pub fn max_upload_bytes(&self) -> u64 {
        self.settings.max_upload_bytes
    }

    /// The `mxc://` URI of media of this homeserver.
    pub(crate) fn uri(&self, media_id: &str) -> OwnedMxcUri {
        <&MxcUri>::from(format!("mxc://{}/{media_id}", self.server_name).as_str()).to_owned()
    }

    /// Whether these two parts of an `mxc://` URI can name media of this homeserver.
    pub(crate) fn is_ours(&self, server_name: &str, media_id: &str) -> bool {
        server_name == self.server_name.as_str() && is_media_id(media_id)
    }

    /// Whether the content of media that has none would come too late by now.
    pub(crate) fn has_expired(&self, media: &StoredMedia) -> bool {
        media.expires_ts.is_some_and(|expires| expires <= self.ambient.now().millis())
    }
}

/// Whether this can be a media id. They are made of letters and digits; what is not made like one is not looked for.
pub(crate) fn is_media_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=255).contains(&text.len()) && text.bytes().all(fits)
}
