//! Application services as we call them (<https://spec.matrix.org/v1.19/application-service-api/>).

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{
    HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::Value;

use crate::{Body, Limits, PeerError, Transport};

/// How much of what a service said is repeated.
const MAX_MESSAGE_CHARACTERS: usize = 300;

/// Where a service listens, and by which token it knows us.
#[derive(Clone, Copy)]
pub struct ServiceAddress<'a> {
    /// The URL, without a final slash.
    pub url: &'a str,
    /// Its `hs_token`.
    pub token: &'a str,
}

/// Calls application services. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServiceCaller(Arc<dyn Transport>);

impl ServiceCaller {
    /// Over this network.
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self(transport)
    }

    /// Asks a service, and gives the body of its answer. The path is percent-encoded and may have a query. Without a
    /// body to send, it is empty.
    ///
    /// # Errors
    /// Any [`PeerError`]; [`PeerError::Refused`] if the answer is none of success.
    pub async fn call(
        &self,
        service: ServiceAddress<'_>,
        method: Method,
        path: &str,
        body: Bytes,
        limits: Limits,
    ) -> Result<Bytes, PeerError> {
        let unsendable = |problem: String| PeerError::Unsendable(problem);
        let mut token = HeaderValue::from_str(&format!("Bearer {}", service.token))
            .map_err(|error| unsendable(error.to_string()))?;
        token.set_sensitive(true);
        let mut request = http::Request::builder().method(method).uri(path).header(AUTHORIZATION, token);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(body).map_err(|error| unsendable(error.to_string()))?;
        let answer = self.0.call_service(service.url, request, limits).await?;
        let (head, body) = answer.into_parts();
        let body = collect(service.url, body, limits.max_bytes).await;
        if head.status.is_success() {
            return body;
        }
        Err(refusal(service.url, head.status, &body.unwrap_or_default()))
    }
}

async fn collect(url: &str, body: Body, max_bytes: usize) -> Result<Bytes, PeerError> {
    let mut pieces = body.into_pieces();
    let mut all = BytesMut::new();
    while let Some(piece) = pieces.next().await.transpose()? {
        if all.len() + piece.len() > max_bytes {
            return Err(PeerError::TooLarge(url.to_owned()));
        }
        all.extend_from_slice(&piece);
    }
    Ok(all.freeze())
}

fn refusal(url: &str, status: http::StatusCode, body: &[u8]) -> PeerError {
    let json = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object);
    let field = |name: &str| json.as_ref().and_then(|json| json.get(name)?.as_str()).map(str::to_owned);
    let said = field("error").unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    PeerError::Refused {
        server: url.to_owned(),
        status,
        errcode: field("errcode").unwrap_or_default(),
        message: said.chars().take(MAX_MESSAGE_CHARACTERS).collect(),
        body: json,
    }
}
