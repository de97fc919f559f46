//! Previews of pages that users link to
//! (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediapreview_url>).
//!
//! The page's address reaches only the page's own server. Where that may be is decided by the network, which refuses
//! what is not on the public Internet. What is fetched is bounded in bytes and time, and remembered for a while.

mod page;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, header};
use image::ImageReader;
use moka::sync::Cache;
use parvis_ambient::Timestamp;
use parvis_peers::{Limits, Page, PageWish, PeerError, Transport};
use ruma::UserId;
use serde_json::{Map, Value};

use crate::{
    Media, Offer, UploadError,
    preview::page::{Facts, read},
};

/// How much of a page is read: what a preview needs stands at its beginning.
const PAGE_BYTES: usize = 512 << 10;
/// How long a page may take, and how long its picture.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a preview is remembered.
const KEEP: Duration = Duration::from_secs(3_600);
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
    settings: Arc<PreviewSettings>,
    known: Cache<(String, String), (Timestamp, Arc<str>)>,
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
        let known = Cache::builder().max_capacity(KEEP_BYTES).weigher(weigh).build();
        Self { network, settings: Arc::new(settings), known }
    }

    fn check(&self, url: &str) -> Result<(), PreviewError> {
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
    async fn fetch(
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

impl Media {
    /// This engine, making previews of pages too, which it fetches over this network.
    #[must_use]
    pub fn previewing(self, network: Arc<dyn Transport>, settings: PreviewSettings) -> Self {
        Self { previews: Some(Previews::new(network, settings)), ..self }
    }

    /// A preview of a page, as a JSON object of OpenGraph properties. Its picture is kept here as media of the user who
    /// asked. `languages` are those of the client, as `Accept-Language` has them.
    ///
    /// # Errors
    /// Any [`PreviewError`].
    pub async fn preview(
        &self,
        url: &str,
        languages: Option<&str>,
        asker: &UserId,
    ) -> Result<Arc<str>, PreviewError> {
        let previews = self.previews.as_ref().ok_or(PreviewError::Off)?;
        let url = url.split('#').next().unwrap_or(url).trim();
        previews.check(url)?;
        let languages = languages.unwrap_or(&previews.settings.languages);
        let key = (url.to_owned(), languages.to_owned());
        let _turn = self.previewing.turn(key.clone()).await;
        let now = self.ambient.now();
        if let Some((made, known)) = previews.known.get(&key)
            && now.since(made) < KEEP
        {
            return Ok(known);
        }
        let _permit = self.fetches.acquire().await;
        let preview = self.make_preview(previews, url, languages, asker).await?;
        let preview: Arc<str> = Value::Object(preview).to_string().into();
        previews.known.insert(key, (now, Arc::clone(&preview)));
        Ok(preview)
    }

    async fn make_preview(
        &self,
        previews: &Previews,
        url: &str,
        languages: &str,
        asker: &UserId,
    ) -> Result<Map<String, Value>, PreviewError> {
        let accept = "text/html,application/xhtml+xml,image/*;q=0.8,*/*;q=0.1";
        let wish = PageWish { accept, languages };
        let (found_at, headers, body, is_whole) = previews.fetch(url, wish).await?;
        let content_type = content_type(&headers);
        if content_type.starts_with("image/") {
            let mut preview = Map::new();
            if is_whole {
                self.add_picture(&mut preview, &content_type, body, asker).await?;
            }
            return Ok(preview);
        }
        if !matches!(&*content_type, "text/html" | "application/xhtml+xml") {
            return Ok(Map::new());
        }
        let Facts { mut properties, picture } = read(&page::decode(&body, charset(&headers)));
        let picture = picture.and_then(|picture| page::resolve(&found_at, &picture));
        properties.remove("og:image");
        if let Some(picture) = picture {
            let wish = PageWish { accept: "image/*", languages };
            // A page without its picture is better than none.
            match previews.fetch(&picture, wish).await {
                Ok((_, headers, bytes, true)) => {
                    self.add_picture(&mut properties, &self::content_type(&headers), bytes, asker).await?;
                }
                Ok(_) => tracing::debug!("the picture of a page is too large for its preview"),
                Err(error) => tracing::debug!(%error, "the picture of a page cannot be had"),
            }
        }
        Ok(properties)
    }

    /// Keeps a picture, and says of it what a preview does. What is none is left out.
    async fn add_picture(
        &self,
        preview: &mut Map<String, Value>,
        content_type: &str,
        bytes: Bytes,
        asker: &UserId,
    ) -> Result<(), PreviewError> {
        if !content_type.starts_with("image/") || content_type.starts_with("image/svg") {
            return Ok(());
        }
        let size = bytes.len();
        let sizes = ImageReader::new(std::io::Cursor::new(&bytes)).with_guessed_format();
        let sizes = sizes.ok().and_then(|reader| reader.into_dimensions().ok());
        let offer = Offer {
            content_type: Some(content_type.to_owned()),
            filename: None,
            size_bytes: u64::try_from(size).ok(),
        };
        let body = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
        let uri = self.upload(asker, &offer, body).await?;
        preview.insert("og:image".to_owned(), uri.as_str().into());
        preview.insert("og:image:type".to_owned(), content_type.into());
        preview.insert("matrix:image:size".to_owned(), size.into());
        if let Some((width, height)) = sizes {
            preview.insert("og:image:width".to_owned(), width.into());
            preview.insert("og:image:height".to_owned(), height.into());
        }
        Ok(())
    }
}

/// The host in a URL of a page, in lower case.
fn host_of(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    let is_page = matches!(uri.scheme_str(), Some("http" | "https"));
    uri.host().filter(|_| is_page).map(|host| host.trim_end_matches('.').to_ascii_lowercase())
}

/// The kind of content, in lower case, without parameters.
fn content_type(headers: &HeaderMap) -> String {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The character set that the answer names.
fn charset(headers: &HeaderMap) -> Option<&str> {
    let said = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let named = said.split(';').find_map(|part| part.trim().strip_prefix("charset="))?;
    Some(named.trim_matches(['"', '\'']))
}
