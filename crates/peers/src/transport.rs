//! One HTTP exchange with another homeserver, or with a push gateway.

use std::{fmt, pin::Pin, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use ruma::ServerName;

use crate::PeerError;

/// How long an exchange may last, and how large an answer may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first try to connect to the last byte of the answer.
    pub timeout: Duration,
    /// The largest answer, in bytes.
    pub max_bytes: usize,
    /// Whether the server is asked even while it is left in peace after a failure: somebody waits, or the server
    /// has just called us.
    pub despite_back_off: bool,
}

impl Limits {
    /// For questions with short answers, for which somebody waits.
    pub const QUESTION: Self =
        Self { timeout: Duration::from_secs(20), max_bytes: 2 << 20, despite_back_off: false };
    /// For transactions, which a slow server may take its time for.
    pub const TRANSACTION: Self =
        Self { timeout: Duration::from_secs(60), max_bytes: 1 << 20, despite_back_off: false };
    /// For events, states and histories of rooms.
    pub const HISTORY: Self =
        Self { timeout: Duration::from_secs(60), max_bytes: 64 << 20, despite_back_off: false };
    /// For push gateways, whose answers are short.
    pub const PUSH: Self =
        Self { timeout: Duration::from_secs(15), max_bytes: 64 << 10, despite_back_off: false };
    /// For joining a room, the answer to which holds all of its state.
    pub const JOIN: Self =
        Self { timeout: Duration::from_secs(240), max_bytes: 512 << 20, despite_back_off: true };
}

/// What a page is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageWish<'a> {
    /// The kinds of content, as `Accept` has them.
    pub accept: &'a str,
    /// The languages, as `Accept-Language` has them; none is asked for where it is empty.
    pub languages: &'a str,
}

/// A page of the Web.
#[derive(Debug)]
pub struct Page {
    /// Where it was found, after redirects.
    pub url: String,
    /// The answer.
    pub response: http::Response<Body>,
}

/// Carries requests to other homeservers.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug {
    /// Carries a request, whose URI is path and query only, to a homeserver, and gives its answer of whatever
    /// status. Redirects are answers.
    ///
    /// # Errors
    /// Any [`PeerError`] that tells of the way and not of an answer.
    async fn exchange(
        &self,
        destination: &ServerName,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Body>, PeerError>;

    /// Fetches from a URL that another server named, such as media that lies elsewhere. The request is not
    /// signed; redirects are followed, a few; an answer of whatever status is given.
    ///
    /// # Errors
    /// Any [`PeerError`] that tells of the way and not of an answer.
    async fn fetch(&self, url: &str, _limits: Limits) -> Result<http::Response<Body>, PeerError> {
        Err(PeerError::Unsendable(format!("{url} is on no network that is known here")))
    }

    /// Fetches a page of the Web that a user named, or what such a page names. Redirects are followed, a few; an
    /// answer of whatever status is given.
    ///
    /// # Errors
    /// Any [`PeerError`] that tells of the way and not of an answer.
    async fn page(&self, url: &str, _wish: &PageWish<'_>, _limits: Limits) -> Result<Page, PeerError> {
        Err(PeerError::Unsendable(format!("{url} is on no network that is known here")))
    }

    /// Carries a request, whose URI is path and query only, to an application service at this URL, and gives its answer
    /// of whatever status. The operator has named the URL, so it may lead anywhere.
    ///
    /// # Errors
    /// Any [`PeerError`] that tells of the way and not of an answer.
    async fn call_service(
        &self,
        base_url: &str,
        _request: http::Request<Bytes>,
        _limits: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        Err(PeerError::Unsendable(format!("{base_url} is on no network that is known here")))
    }

    /// Posts JSON to the URL of a push gateway, which a user's app has named. Redirects are answers.
    ///
    /// # Errors
    /// Any [`PeerError`] that tells of the way and not of an answer.
    async fn notify(
        &self,
        url: &str,
        _body: Bytes,
        _limits: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        Err(PeerError::Unsendable(format!("{url} is on no network that is known here")))
    }

    /// Notes that a server has called us and proved that it is who it says: it is no longer left in peace after
    /// a failure.
    fn heard_from(&self, _server: &ServerName) {}

    /// Completes when a server may be tried: at once, unless it failed lately; then when its time has come, or
    /// as soon as it is heard from.
    async fn until_due(&self, _server: &ServerName) {}
}

/// The body of an answer, as it arrives. It fails where it is cut off, too slow or too large.
pub struct Body(Pin<Box<dyn Stream<Item = Result<Bytes, PeerError>> + Send>>);

impl Body {
    /// A body that arrives in pieces.
    pub fn new(pieces: impl Stream<Item = Result<Bytes, PeerError>> + Send + 'static) -> Self {
        Self(Box::pin(pieces))
    }

    /// A body that is here.
    pub fn whole(bytes: Bytes) -> Self {
        Self::new(stream::iter([Ok(bytes)]))
    }

    /// The pieces as they arrive.
    pub fn into_pieces(self) -> Pin<Box<dyn Stream<Item = Result<Bytes, PeerError>> + Send>> {
        self.0
    }

    /// All of it, if it has at most this many bytes.
    ///
    /// # Errors
    /// [`PeerError::TooLarge`], or why the rest did not arrive.
    pub async fn collect(mut self, server: impl fmt::Display, max_bytes: usize) -> Result<Bytes, PeerError> {
        let mut all = BytesMut::new();
        while let Some(piece) = self.0.next().await.transpose()? {
            if all.len() + piece.len() > max_bytes {
                return Err(PeerError::TooLarge(server.to_string()));
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body")
    }
}

/// The network of a homeserver that has none: nobody can be reached.
#[derive(Clone, Copy, Debug)]
pub struct NoNetwork;

#[async_trait]
impl Transport for NoNetwork {
    async fn exchange(
        &self,
        destination: &ServerName,
        _: http::Request<Bytes>,
        _: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        Err(PeerError::NotAPartner(destination.to_string()))
    }
}
