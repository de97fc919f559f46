//! `GET /_matrix/federation/v1/media/download/{mediaId}`
//! (<https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1mediadownloadmediaid>).

use axum::response::Response;
use parvis_wire::Stream;
use serde::Deserialize;

use super::{Part, find, parse_query};
use crate::{ApiError, FederationApi, Origin};

#[derive(Debug, Deserialize)]
struct Query {
    timeout_ms: Option<u64>,
}

/// A file.
pub(super) async fn handle(api: FederationApi, request: Stream<Origin>) -> Result<Response, ApiError> {
    let query: Query = parse_query(&request.parts.uri)?;
    let content = find(&api, &request.path, query.timeout_ms).await?;
    let part = Part {
        hash: &content.hash,
        size_bytes: content.size_bytes,
        content_type: &content.content_type,
        filename: content.filename.as_deref(),
    };
    part.respond(&api).await
}
