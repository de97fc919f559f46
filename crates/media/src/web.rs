//! Pages of the Web, as previews need them: which may be looked at, and their beginnings. What is known of pages is
//! remembered for a while.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, header};
use parvis_ambient::Timestamp;
use parvis_cache::Cache;
use parvis_peers::{Limits, Page, PageWish, PeerError, Transport};

use crate::error::UploadError;

/// How much of a page is read: what a preview needs stands at its beginning.
const PAGE_BYTES: usize = 512 << 10;
/// How long a page may take, and how long its picture.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many bytes of previews are remembered.
const KEEP_BYTES: u64 = 8 << 20;
/// The longest address.
const LONGEST_URL: usize = 2_048;

/// What an organisation decides about previews.
#[derive(Clone, Debug)]
pub struct PreviewSettings {
    /// Hosts of which no previews are made, with all that lie below them.
    pub denied_hosts: Vec<String>,
    /// The languages that pages are asked for where the client names none, as `Accept-Language` has them.
    pub languages: String,
    /// The largest picture, in bytes.
    pub max_picture_bytes: usize,
}

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// The organisation makes none.
    #[error("this server makes no previews of pages")]
    Off,
    /// The address is none, or of a page that is not looked at.
    #[error("{0}")]
    Refused(&'static str),
    /// The page could not be had.
    #[error("the page cannot be had: {0}")]
    Unreachable(String),
    /// Its picture could not be kept.
    #[error(transparent)]
    Upload(#[from] UploadError),
}

/// How previews are made.
#[derive(Clone)]
pub(crate) struct Previews {
    network: Arc<dyn Transport>,
    pub(crate) settings: Arc<PreviewSettings>,
    pub(crate) known: Cache<(String, String), (Timestamp, Arc<str>)>,
}

impl fmt::Debug for Previews {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Previews").field(&self.settings).finish()
    }
}

impl Previews {
    pub(crate) fn new(network: Arc<dyn Transport>, settings: PreviewSettings) -> Self {
        let weigh = |key: &(String, String), (_, text): &(Timestamp, Arc<str>)| {
            u32::try_from(key.0.len() + key.1.len() + text.len()).unwrap_or(u32::MAX)
        };
        let known = Cache::weighed(KEEP_BYTES, weigh);
        Self { network, settings: Arc::new(settings), known }
    }

    /// Whether a page may be looked at, as far as its address tells.
    pub(crate) fn check(&self, url: &str) -> Result<(), PreviewError> {
        if url.len() > LONGEST_URL {
            return Err(PreviewError::Refused("the address is too long"));
        }
        let host = host_of(url).ok_or(PreviewError::Refused("this is no address of a page"))?;
        let is_denied = |denied: &String| {
            host == *denied || host.strip_suffix(denied.as_str()).is_some_and(|rest| rest.ends_with('.'))
        };
        match self.settings.denied_hosts.iter().any(is_denied) {
            true => Err(PreviewError::Refused("this organisation makes no previews of pages of that host")),
            false => Ok(()),
        }
    }

    /// Fetches within bounds: the beginning of the answer, and whether that is all of it.
    pub(crate) async fn fetch(
        &self,
        url: &str,
        wish: PageWish<'_>,
    ) -> Result<(String, HeaderMap, Bytes, bool), PreviewError> {
        // What is too large is cut by us, and not refused.
        let limits = Limits { timeout: PATIENCE, max_bytes: usize::MAX, despite_back_off: true };
        let unreachable = |error: PeerError| PreviewError::Unreachable(error.to_string());
        let Page { url, response } = self.network.page(url, &wish, limits).await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(PreviewError::Unreachable(format!("it answers {}", response.status())));
        }
        let (head, body) = response.into_parts();
        let is_picture = content_type(&head.headers).starts_with("image/");
        let max_bytes = if is_picture { self.settings.max_picture_bytes } else { PAGE_BYTES };
        let (mut pieces, mut all, mut is_whole) = (body.into_pieces(), Vec::new(), true);
        while let Some(piece) = pieces.next().await.transpose().map_err(unreachable)? {
            let left = max_bytes - all.len();
            all.extend_from_slice(piece.get(..left).unwrap_or(&piece));
            if piece.len() > left {
                is_whole = false;
                break;
            }
        }
        Ok((url, head.headers, all.into(), is_whole))
    }
}

/// The host in a URL of a page, in lower case.
fn host_of(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    let is_page = matches!(uri.scheme_str(), Some("http" | "https"));
    uri.host().filter(|_| is_page).map(|host| host.trim_end_matches('.').to_ascii_lowercase())
}

/// The kind of content, in lower case, without parameters.
pub(crate) fn content_type(headers: &HeaderMap) -> String {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
