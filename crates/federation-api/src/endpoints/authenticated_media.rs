//! Files of this server's users, for other servers.
//! <https://spec.matrix.org/v1.19/server-server-api/#content-repository>

mod get_content;
mod get_content_thumbnail;

use std::time::Duration;

use axum::{
    body::Body,
    extract::Query,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, Uri, header};
use parvis_media::{ContentHash, MediaContent, content_disposition};
use parvis_wire::{Endpoint, Endpoints, MatrixError};
use ruma::api::federation::authenticated_media as media;
use serde::de::DeserializeOwned;

use crate::{ApiError, FederationApi};

/// How long a download waits where the asking server does not say.
const DEFAULT_TIMEOUT_MS: u64 = 20_000;
/// Letters and digits between the parts: none of the files holds them.
const BOUNDARY_LENGTH: usize = 40;

pub(super) fn endpoints() -> Endpoints<FederationApi> {
    Endpoints::new()
        .with(Endpoint::streaming::<media::get_content::v1::Request, _, _, _>(get_content::handle))
        .with(Endpoint::streaming::<media::get_content_thumbnail::v1::Request, _, _, _>(
            get_content_thumbnail::handle,
        ))
}

/// What the query string says.
fn parse_query<T: DeserializeOwned>(uri: &Uri) -> Result<T, MatrixError> {
    let query = Query::try_from_uri(uri);
    query.map(|Query(query)| query).map_err(|problem| MatrixError::invalid_param(problem.body_text()))
}

/// A file of this server, for which the asking server waits if it is still to come.
async fn find(
    api: &FederationApi,
    path: &[String],
    timeout_ms: Option<u64>,
) -> Result<MediaContent, ApiError> {
    let media_id = path.first().map_or("", String::as_str);
    let wait = Duration::from_millis(timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS));
    Ok(api.media.find((api.rooms.server_name().as_str(), media_id), wait).await?)
}

/// A file as it goes out.
struct Part<'a> {
    hash: &'a ContentHash,
    size_bytes: u64,
    content_type: &'a str,
    filename: Option<&'a str>,
}

impl Part<'_> {
    /// The answer: two parts, of which the first says nothing yet and the second is the file, read as it is sent.
    async fn respond(&self, api: &FederationApi) -> Result<Response, ApiError> {
        let boundary = api.ambient.chance.text(BOUNDARY_LENGTH);
        let disposition = content_disposition(self.content_type, self.filename);
        let head = format!(
            "--{boundary}\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--{boundary}\r\nContent-Type: {}\r\n\
             Content-Disposition: {disposition}\r\n\r\n",
            self.content_type
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        let length = head.len() as u64 + self.size_bytes + tail.len() as u64;
        let file = api.media.read(self.hash, 0..self.size_bytes).await?;
        let around = |text: String| stream::iter([Ok(Bytes::from(text))]);
        let body = Body::from_stream(around(head).chain(file).chain(around(tail)));
        let kind = HeaderValue::from_str(&format!("multipart/mixed; boundary={boundary}"));
        let headers = [
            (header::CONTENT_TYPE, kind.map_err(MatrixError::internal)?),
            (header::CONTENT_LENGTH, HeaderValue::from(length)),
        ];
        Ok((headers, body).into_response())
    }
}
