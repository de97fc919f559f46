//! What requests for media have in common: which media, how long to wait, and what an upload says of itself.

use std::time::Duration;

use http::{HeaderMap, Uri, header};
use parvis_media::{MediaContent, Method, Offer, StoredThumbnail, ThumbnailRequest, content_disposition};
use parvis_wire::{MatrixError, Stream};
use serde::Deserialize;

use crate::{query::parse_query, served_file::ServedFile};

/// How long a download waits where the client does not say
/// (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediadownloadservernamemediaid>).
const DEFAULT_TIMEOUT_MS: u64 = 20_000;

/// The query of a download.
#[derive(Debug, Deserialize)]
struct DownloadQuery {
    timeout_ms: Option<u64>,
    /// Whether another server may be asked, in requests of the old kind.
    allow_remote: Option<bool>,
}

/// How long to wait for content that is still to come.
pub(crate) fn wait(uri: &Uri) -> Result<Duration, MatrixError> {
    let query: DownloadQuery = parse_query(uri)?;
    Ok(Duration::from_millis(query.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS)))
}

#[derive(Debug, Deserialize)]
struct ThumbnailQuery {
    width: u64,
    height: u64,
    method: Option<MethodName>,
    /// Thumbnails here stand still, which is an answer that the specification allows to either wish.
    #[serde(rename = "animated")]
    _animated: Option<bool>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum MethodName {
    Crop,
    Scale,
}

/// Which thumbnail is asked for.
pub(crate) fn thumbnail_request(uri: &Uri) -> Result<ThumbnailRequest, MatrixError> {
    let query: ThumbnailQuery = parse_query(uri)?;
    let side = |side: u64| u32::try_from(side).unwrap_or(u32::MAX);
    let method = match query.method {
        Some(MethodName::Crop) => Method::Crop,
        Some(MethodName::Scale) | None => Method::Scale,
    };
    Ok(ThumbnailRequest { width: side(query.width), height: side(query.height), method })
}

#[derive(Debug, Deserialize)]
struct UploadQuery {
    filename: Option<String>,
}

/// What an upload says of itself.
pub(crate) fn offer(uri: &Uri, headers: &HeaderMap) -> Result<Offer, MatrixError> {
    let query: UploadQuery = parse_query(uri)?;
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Ok(Offer {
        content_type: text(header::CONTENT_TYPE).map(str::to_owned),
        filename: query.filename,
        size_bytes: text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
    })
}

/// The two parts of the `mxc://` URI in the path.
pub(crate) fn media_uri<P>(request: &Stream<P>) -> Result<(&str, &str), MatrixError> {
    match request.path.as_slice() {
        [server_name, media_id, ..] => Ok((server_name, media_id)),
        _ => Err(MatrixError::internal("a path of media without a media id")),
    }
}

/// How long a request of the old kind waits, and whether another server may be asked for its media.
pub(crate) fn old_request(uri: &Uri) -> Result<(Duration, bool), MatrixError> {
    let query: DownloadQuery = parse_query(uri)?;
    Ok((wait(uri)?, query.allow_remote.unwrap_or(true)))
}

/// A file as it was uploaded, under its own name or another.
pub(crate) fn download(content: MediaContent, filename: Option<&str>) -> ServedFile {
    let filename = filename.or(content.filename.as_deref());
    ServedFile {
        disposition: content_disposition(&content.content_type, filename),
        hash: content.hash,
        size_bytes: content.size_bytes,
        content_type: content.content_type,
    }
}

/// A thumbnail. Its type is one that browsers may show, since we made it or looked at it.
pub(crate) fn thumbnail(made: StoredThumbnail) -> ServedFile {
    let extension = made.content_type.rsplit('/').next().unwrap_or("png");
    ServedFile {
        disposition: content_disposition(&made.content_type, Some(&format!("thumbnail.{extension}"))),
        hash: made.hash,
        size_bytes: made.size_bytes,
        content_type: made.content_type,
    }
}
