//! `GET /_matrix/federation/v1/media/thumbnail/{mediaId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1mediathumbnailmediaid>).

use axum::response::Response;
use parvis_media::{Method, ThumbnailRequest};
use parvis_wire::Stream;
use serde::Deserialize;

use super::{Part, find, parse_query};
use crate::{ApiError, FederationApi, Origin};

#[derive(Debug, Deserialize)]
struct Query {
    width: u64,
    height: u64,
    method: Option<MethodName>,
    timeout_ms: Option<u64>,
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

/// A thumbnail of an image.
pub(super) async fn handle(api: FederationApi, request: Stream<Origin>) -> Result<Response, ApiError> {
    let query: Query = parse_query(&request.parts.uri)?;
    let side = |side: u64| u32::try_from(side).unwrap_or(u32::MAX);
    let method = match query.method {
        Some(MethodName::Crop) => Method::Crop,
        Some(MethodName::Scale) | None => Method::Scale,
    };
    let asked = ThumbnailRequest { width: side(query.width), height: side(query.height), method };
    let content = find(&api, &request.path, query.timeout_ms).await?;
    let made = api.media.thumbnail(&content, asked).await?;
    let part = Part {
        hash: &made.hash,
        size_bytes: made.size_bytes,
        content_type: &made.content_type,
        filename: None,
    };
    part.respond(&api).await
}
