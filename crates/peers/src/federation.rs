//! The server-server API as a caller speaks it.

use std::{borrow::Cow, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, header::AUTHORIZATION};
use parvis_events::ServerKey;
use ruma::{
    OwnedServerName, ServerName, ServerSigningKeyId,
    api::{
        IncomingResponseExt, Metadata, OutgoingBody, OutgoingRequest,
        auth_scheme::{AuthScheme, NoAuthentication},
        federation::authentication::{ServerSignatures, XMatrix},
        path_builder::SinglePath,
    },
    serde::Base64,
    signatures::to_canonical_json_string_for_signing,
};
use serde_json::Value;

use crate::{Body, Limits, PeerError, ServiceCaller, Transport};

/// How much of an answer that is an error is read.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// How much of what a server said is repeated.
const MAX_MESSAGE_CHARACTERS: usize = 300;

/// Whether a kind of authentication is a signature over the request.
pub trait Authentication: AuthScheme {
    /// Whether the request is signed.
    const SIGNED: bool;
}

impl Authentication for ServerSignatures {
    const SIGNED: bool = true;
}

impl Authentication for NoAuthentication {
    const SIGNED: bool = false;
}

/// This homeserver as others hear it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Federation {
    origin: OwnedServerName,
    key: Arc<ServerKey>,
    transport: Arc<dyn Transport>,
}

impl Federation {
    /// A server that speaks by this name, with this key, over this network.
    pub fn new(origin: OwnedServerName, key: Arc<ServerKey>, transport: Arc<dyn Transport>) -> Self {
        Self { origin, key, transport }
    }

    /// The name by which this server speaks.
    pub fn origin(&self) -> &ServerName {
        &self.origin
    }

    /// Asks another server, and gives its answer.
    ///
    /// # Errors
    /// Any [`PeerError`]; [`PeerError::Refused`] if the server answered with an error.
    pub async fn call<R>(
        &self,
        destination: &ServerName,
        request: R,
        limits: Limits,
    ) -> Result<R::IncomingResponse, PeerError>
    where
        R: OutgoingRequest + Metadata<PathBuilder = SinglePath>,
        R::Authentication: Authentication,
    {
        let request = into_http(request)?;
        let response = if <R::Authentication as Authentication>::SIGNED {
            self.exchange(destination, request, limits).await?
        } else {
            self.transport.exchange(destination, request, limits).await?
        };
        let (head, body) = response.into_parts();
        let body = body.collect(destination, limits.max_bytes).await?;
        let malformed = |problem| PeerError::Malformed { server: destination.to_string(), problem };
        let response = http::Response::from_parts(head, &*body);
        R::IncomingResponse::try_from_http_response(response).map_err(|error| malformed(error.to_string()))
    }

    /// As [`call`](Self::call), and gives the body of the answer: for those so large that what is in them should not
    /// be copied.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_for_body<R>(
        &self,
        destination: &ServerName,
        request: R,
        limits: Limits,
    ) -> Result<Bytes, PeerError>
    where
        R: OutgoingRequest + Metadata<PathBuilder = SinglePath>,
    {
        let response = self.exchange(destination, into_http(request)?, limits).await?;
        response.into_body().collect(destination, limits.max_bytes).await
    }

    /// Asks by the first version of an endpoint that has a second, for servers that know no other: the same
    /// request, at the path of old. Gives the body of the answer, which is another than that of the second version.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_first_version<R>(
        &self,
        destination: &ServerName,
        request: R,
        limits: Limits,
    ) -> Result<Bytes, PeerError>
    where
        R: OutgoingRequest + Metadata<PathBuilder = SinglePath>,
    {
        let mut request = into_http(request)?;
        let path = request.uri().to_string().replacen("/v2/", "/v1/", 1);
        let path = http::Uri::try_from(path).map_err(|error| PeerError::Unsendable(error.to_string()))?;
        *request.uri_mut() = path;
        let response = self.exchange(destination, request, limits).await?;
        response.into_body().collect(destination, limits.max_bytes).await
    }

    /// Signs a request whose URI is path and query only, carries it, and gives the answer if it is no error. For
    /// answers that are not for ruma's types, such as media.
    ///
    /// # Errors
    /// Any [`PeerError`].
    pub async fn exchange(
        &self,
        destination: &ServerName,
        mut request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        let authorization = self.sign(destination, &request)?;
        request.headers_mut().insert(AUTHORIZATION, authorization);
        self.carry(destination, request, limits).await
    }

    /// See [`Transport::fetch`].
    ///
    /// # Errors
    /// Any [`PeerError`] that tells of the way and not of an answer.
    pub async fn fetch(&self, url: &str, limits: Limits) -> Result<http::Response<Body>, PeerError> {
        self.transport.fetch(url, limits).await
    }

    /// The application services, over the same network.
    pub fn services(&self) -> ServiceCaller {
        ServiceCaller::new(Arc::clone(&self.transport))
    }

    /// See [`Transport::heard_from`].
    pub fn heard_from(&self, server: &ServerName) {
        self.transport.heard_from(server);
    }

    /// See [`Transport::until_due`].
    pub async fn until_due(&self, server: &ServerName) {
        self.transport.until_due(server).await;
    }

    /// As [`exchange`](Self::exchange), without a signature: for what anybody may ask.
    ///
    /// # Errors
    /// Any [`PeerError`].
    pub async fn exchange_unsigned(
        &self,
        destination: &ServerName,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        self.carry(destination, request, limits).await
    }

    async fn carry(
        &self,
        destination: &ServerName,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        let response = self.transport.exchange(destination, request, limits).await?;
        if response.status().as_u16() < 400 {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let body = body.collect(destination, MAX_ERROR_BYTES).await.unwrap_or_default();
        Err(refusal(destination, head.status, &body))
    }

    /// The `Authorization` of a request: a signature over method, URI, origin, destination and content.
    /// <https://spec.matrix.org/v1.19/server-server-api/#request-authentication>
    fn sign(
        &self,
        destination: &ServerName,
        request: &http::Request<Bytes>,
    ) -> Result<HeaderValue, PeerError> {
        let unsendable = |problem: String| PeerError::Unsendable(problem);
        let object = XMatrix::request_object(request, &self.origin, destination)
            .map_err(|error| unsendable(error.to_string()))?;
        let text =
            to_canonical_json_string_for_signing(&object).map_err(|error| unsendable(error.to_string()))?;
        let signature = Base64::parse(self.key.sign_bytes(text.as_bytes()))
            .map_err(|error| unsendable(error.to_string()))?;
        let key = <&ServerSigningKeyId>::try_from(self.key.key_id())
            .map_err(|error| unsendable(error.to_string()))?;
        let header = XMatrix::new(self.origin.clone(), destination.to_owned(), key.to_owned(), signature);
        Ok(HeaderValue::from(&header))
    }
}

/// A request with path and query only.
fn into_http<R>(request: R) -> Result<http::Request<Bytes>, PeerError>
where
    R: OutgoingRequest + Metadata<PathBuilder = SinglePath>,
{
    let unsendable = |problem: String| PeerError::Unsendable(problem);
    let request =
        request.try_into_http_request_inner("", ()).map_err(|error| unsendable(error.to_string()))?;
    let (mut head, body) = request.into_parts();
    if let Some(content_type) = body.content_type() {
        head.headers.entry(http::header::CONTENT_TYPE).or_insert(content_type);
    }
    let body: BytesMut = body.try_into_buf().map_err(|error| unsendable(error.into().to_string()))?;
    Ok(http::Request::from_parts(head, body.freeze()))
}

/// What a server's error says.
fn refusal(server: &ServerName, status: http::StatusCode, body: &[u8]) -> PeerError {
    let json = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object);
    let field = |name: &str| json.as_ref().and_then(|json| json.get(name)?.as_str()).map(str::to_owned);
    let errcode = field("errcode").unwrap_or_default();
    let message: Cow<'_, str> = field("error").map_or_else(|| String::from_utf8_lossy(body), Cow::Owned);
    let message = message.chars().take(MAX_MESSAGE_CHARACTERS).collect();
    PeerError::Refused { server: server.to_string(), status, errcode, message, body: json }
}
