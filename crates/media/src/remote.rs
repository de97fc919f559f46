//! Media of other servers: fetched when somebody here asks for them, kept, and served as if they were ours.
//! <https://spec.matrix.org/v1.19/server-server-api/#content-repository>
//!
//! A file streams through to the disk; what did not come whole is not kept. That another server's file is harmless
//! is not assumed: what browsers may do with it is decided when it is served, by its content type.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, Request, StatusCode, header};
use parvis_peers::{Federation, Limits, PeerError};
use parvis_storage::{MediaContent, RemoteThumbnailKey, StoredThumbnail, WriteSet};
use ruma::{OwnedServerName, ServerName, http_headers::ContentDisposition};

use crate::{
    DownloadError, Media, ThumbnailError, ThumbnailRequest,
    blobs::Kept,
    labels,
    multipart::{Multipart, MultipartError, boundary_of},
};

/// How long a file may take to come, once its server has it.
const TRANSFER: Duration = Duration::from_secs(180);
/// How much there may be around a file.
const WRAPPING_BYTES: usize = 256 << 10;
/// How much may be said about a file.
const MAX_METADATA_BYTES: usize = 64 << 10;
/// Letters and digits in the name of a file that is being written.
const INCOMING_NAME_LENGTH: usize = 32;
/// What a thumbnail may be.
const PICTURES: [&str; 6] =
    ["image/png", "image/jpeg", "image/gif", "image/webp", "image/apng", "image/avif"];

/// A file as it came, and what was said of it.
struct Fetched {
    kept: Kept,
    content_type: String,
    filename: Option<String>,
}

/// Whether a server does not know the way of servers: it says so, or refuses without a reason that Matrix knows.
fn is_not_understood(error: &PeerError) -> bool {
    let refused = error.status().is_some_and(|status| status.is_client_error());
    error.is_unknown_endpoint() || (refused && error.errcode().is_none())
}

impl Media {
    /// Media of another server: kept here from before, or fetched now.
    pub(crate) async fn find_remote(
        &self,
        (server_name, media_id): (&str, &str),
        wait: Duration,
    ) -> Result<MediaContent, DownloadError> {
        if let Some(content) = self.store.remote_media((server_name, media_id)).await? {
            return Ok(content);
        }
        let (federation, server) = self.reachable(server_name)?;
        let _turn = self.fetching.turn((server_name.to_owned(), media_id.to_owned())).await;
        if let Some(content) = self.store.remote_media((server_name, media_id)).await? {
            return Ok(content);
        }
        let wait = wait.min(self.settings.max_wait);
        let path =
            format!("/_matrix/federation/v1/media/download/{media_id}?timeout_ms={}", wait.as_millis());
        let legacy = format!(
            "/_matrix/media/v3/download/{server_name}/{media_id}?allow_remote=false&timeout_ms={}",
            wait.as_millis()
        );
        let fetched = self.fetch(federation, &server, (&path, &legacy), wait).await?;
        let content = MediaContent {
            hash: fetched.kept.hash,
            size_bytes: fetched.kept.size_bytes,
            content_type: fetched.content_type,
            filename: fetched.filename,
            stored_ts: self.ambient.now().millis(),
        };
        let mut set = WriteSet::new();
        set.put_remote_media((server_name, media_id), &content);
        self.store.commit(set).await.map_err(crate::error::unguarded)?;
        Ok(content)
    }

    /// A thumbnail that another server makes of its media, for what cannot be made here.
    pub(crate) async fn remote_thumbnail(
        &self,
        (server_name, media_id): (&str, &str),
        request: ThumbnailRequest,
        wait: Duration,
    ) -> Result<StoredThumbnail, ThumbnailError> {
        let key = RemoteThumbnailKey {
            server_name: server_name.to_owned(),
            media_id: media_id.to_owned(),
            width: request.width,
            height: request.height,
            method: request.method.as_str().to_owned(),
        };
        if let Some(thumbnail) = self.store.remote_thumbnail(&key).await? {
            return Ok(thumbnail);
        }
        let (federation, server) = self.reachable(server_name)?;
        let _turn = self.fetching.turn((server_name.to_owned(), media_id.to_owned())).await;
        let wait = wait.min(self.settings.max_wait);
        let query = format!(
            "width={}&height={}&method={}&timeout_ms={}",
            key.width,
            key.height,
            key.method,
            wait.as_millis()
        );
        let path = format!("/_matrix/federation/v1/media/thumbnail/{media_id}?{query}");
        let legacy =
            format!("/_matrix/media/v3/thumbnail/{server_name}/{media_id}?allow_remote=false&{query}");
        let fetched = self.fetch(federation, &server, (&path, &legacy), wait).await?;
        if !PICTURES.contains(&&*fetched.content_type) {
            return Err(ThumbnailError::NotAnImage);
        }
        let Fetched { kept, content_type, .. } = fetched;
        let thumbnail = StoredThumbnail { hash: kept.hash, size_bytes: kept.size_bytes, content_type };
        let mut set = WriteSet::new();
        set.put_remote_thumbnail(&key, &thumbnail);
        self.store.commit(set).await?;
        Ok(thumbnail)
    }

    /// How another server is asked.
    fn reachable(&self, server_name: &str) -> Result<(&Federation, OwnedServerName), DownloadError> {
        let federation = self.federation.as_ref().ok_or(DownloadError::NotFound)?;
        let server = <&ServerName>::try_from(server_name).map_err(|_| DownloadError::NotFound)?;
        Ok((federation, server.to_owned()))
    }

    /// Fetches a file in the way of servers, or in the old way of clients from a server that knows no other.
    async fn fetch(
        &self,
        federation: &Federation,
        server: &ServerName,
        (path, legacy): (&str, &str),
        wait: Duration,
    ) -> Result<Fetched, DownloadError> {
        let _place = self.fetches.acquire().await.map_err(|_| DownloadError::NotFound)?;
        let max_bytes = usize::try_from(self.settings.max_upload_bytes).unwrap_or(usize::MAX);
        let max_bytes = max_bytes.saturating_add(WRAPPING_BYTES);
        let limits = Limits { timeout: wait + TRANSFER, max_bytes, despite_back_off: false };
        match federation.exchange(server, get(path)?, limits).await {
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                self.unwrap(federation, server, (&head.headers, body.into_pieces()), limits).await
            }
            Err(error) if is_not_understood(&error) => {
                let answer = federation.exchange_unsigned(server, get(legacy)?, limits).await;
                let (head, body) = answer.map_err(refused)?.into_parts();
                check_is_ok(server, head.status)?;
                self.keep(&head.headers, body.into_pieces()).await
            }
            Err(error) => Err(refused(error)),
        }
    }

    /// Takes the file out of the two parts that it comes in, or fetches it from where the second part says it is.
    async fn unwrap(
        &self,
        federation: &Federation,
        server: &ServerName,
        (headers, pieces): (&HeaderMap, impl Stream<Item = Result<Bytes, PeerError>> + Send + Unpin),
        limits: Limits,
    ) -> Result<Fetched, DownloadError> {
        let malformed = |problem: &str| {
            let (server, problem) = (server.to_string(), problem.to_owned());
            DownloadError::Remote(PeerError::Malformed { server, problem })
        };
        let failed = |error: MultipartError<PeerError>| match error {
            MultipartError::Malformed(problem) => malformed(problem),
            MultipartError::Interrupted(error) => refused(error),
        };
        let boundary = text(headers, header::CONTENT_TYPE).and_then(boundary_of);
        let boundary = boundary.ok_or_else(|| malformed("the answer is not multipart/mixed"))?;
        let mut parts = Multipart::new(pieces, &boundary);
        parts.next_part().await.map_err(failed)?.ok_or_else(|| malformed("there are no parts"))?;
        let metadata = parts.whole(MAX_METADATA_BYTES).await.map_err(failed)?;
        if !serde_json::from_slice::<serde_json::Value>(&metadata).is_ok_and(|json| json.is_object()) {
            return Err(malformed("the first part is not a JSON object"));
        }
        let head =
            parts.next_part().await.map_err(failed)?.ok_or_else(|| malformed("there is no second part"))?;
        if let Some(location) = text(&head, header::LOCATION) {
            let location = location.to_owned();
            drop(parts);
            return self.fetch_elsewhere(federation, server, &location, limits).await;
        }
        let mut incoming = self.blobs.begin(&self.ambient.chance.text(INCOMING_NAME_LENGTH)).await?;
        while let Some(chunk) = parts.chunk().await.map_err(failed)? {
            self.check_size(incoming.size_bytes(), chunk.len())?;
            incoming.write(&chunk).await?;
        }
        if parts.next_part().await.map_err(failed)?.is_some() {
            return Err(malformed("there are more than two parts"));
        }
        Ok(described(self.blobs.keep(incoming).await?, &head))
    }

    /// Fetches a file from a URL that a server named. Which addresses may be asked is for the network to know; here
    /// only the scheme is looked at. The file is described by whoever sends it.
    async fn fetch_elsewhere(
        &self,
        federation: &Federation,
        server: &ServerName,
        location: &str,
        limits: Limits,
    ) -> Result<Fetched, DownloadError> {
        if !location.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) {
            let problem = "the file would be at no https:// URL".to_owned();
            return Err(DownloadError::Remote(PeerError::Malformed { server: server.to_string(), problem }));
        }
        let (head, body) = federation.fetch(location, limits).await.map_err(refused)?.into_parts();
        check_is_ok(server, head.status)?;
        self.keep(&head.headers, body.into_pieces()).await
    }

    /// Keeps a file that is the whole body of an answer.
    async fn keep(
        &self,
        headers: &HeaderMap,
        mut pieces: impl Stream<Item = Result<Bytes, PeerError>> + Send + Unpin,
    ) -> Result<Fetched, DownloadError> {
        let mut incoming = self.blobs.begin(&self.ambient.chance.text(INCOMING_NAME_LENGTH)).await?;
        while let Some(chunk) = pieces.next().await.transpose().map_err(refused)? {
            self.check_size(incoming.size_bytes(), chunk.len())?;
            incoming.write(&chunk).await?;
        }
        Ok(described(self.blobs.keep(incoming).await?, headers))
    }

    fn check_size(&self, so_far: u64, more: usize) -> Result<(), DownloadError> {
        match so_far.saturating_add(more as u64) > self.settings.max_upload_bytes {
            true => Err(DownloadError::TooLarge(self.settings.max_upload_bytes)),
            false => Ok(()),
        }
    }
}

fn described(kept: Kept, headers: &HeaderMap) -> Fetched {
    let disposition = headers.get(header::CONTENT_DISPOSITION);
    let disposition = disposition.and_then(|value| ContentDisposition::try_from(value.as_bytes()).ok());
    Fetched {
        kept,
        content_type: labels::content_type(text(headers, header::CONTENT_TYPE)),
        filename: labels::filename(disposition.and_then(|disposition| disposition.filename).as_deref()),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A request without a body.
fn get(path: &str) -> Result<Request<Bytes>, DownloadError> {
    // A media id is made of letters and digits, and a server name fits into a path.
    Request::get(path).body(Bytes::new()).map_err(|_| DownloadError::NotFound)
}

/// Redirects of the old way lead nowhere: none was asked for.
fn check_is_ok(server: &ServerName, status: StatusCode) -> Result<(), DownloadError> {
    match status {
        StatusCode::OK => Ok(()),
        StatusCode::NOT_FOUND => Err(DownloadError::NotFound),
        other => {
            let (server, problem) = (server.to_string(), format!("the file came with status {other}"));
            Err(DownloadError::Remote(PeerError::Malformed { server, problem }))
        }
    }
}

/// What it means that a server does not give a file.
fn refused(error: PeerError) -> DownloadError {
    match (error.status(), error.errcode()) {
        (Some(StatusCode::GATEWAY_TIMEOUT), Some("M_NOT_YET_UPLOADED")) => DownloadError::NotYetUploaded,
        (Some(StatusCode::NOT_FOUND), _) => DownloadError::NotFound,
        _ => DownloadError::Remote(error),
    }
}
