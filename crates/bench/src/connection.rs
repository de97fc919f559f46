//! One HTTP/1.1 connection that is kept alive, driven from the task that uses it (no second task to wake).
//! It knows requests and answers, not Matrix beyond the error body.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::scan;

/// Longest wait for one answer unless more is allowed. Long polls ask for less.
const CALL_LIMIT: Duration = Duration::from_secs(180);

/// The server under load. Plain HTTP only: TLS would measure the TLS library on both ends.
#[derive(Debug)]
pub(crate) struct Server {
    authority: String,
    host: HeaderValue,
}

impl Server {
    /// From `http://host:port`.
    pub(crate) fn parse(url: &str) -> Result<Self, Failure> {
        let authority = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let Some(authority) = authority.filter(|rest| !rest.is_empty() && !rest.contains('/')) else {
            return Err(Failure::Unexpected(format!(
                "--url must look like http://127.0.0.1:8008, not {url}"
            )));
        };
        let authority =
            if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
        let host = HeaderValue::from_str(&authority).map_err(|e| Failure::Unexpected(e.to_string()))?;
        Ok(Self { authority, host })
    }
}

/// What went wrong with one operation.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// No answer: refused, closed, or too late.
    Transport(String),
    /// An answer that is not 2xx.
    Refused {
        /// The endpoint, as the specification names it.
        endpoint: &'static str,
        /// HTTP status.
        status: u16,
        /// Matrix `errcode`, empty when the body has none.
        errcode: String,
    },
    /// An answer that lacks what it must have, or a mistake in the options.
    Unexpected(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(why) => write!(f, "no answer: {why}"),
            Self::Refused { endpoint, status, errcode } => write!(f, "{endpoint}: {status} {errcode}"),
            Self::Unexpected(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Failure {}

/// One request, with a body that may be shared by many.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    /// HTTP method.
    pub(crate) method: Method,
    /// Path and query, already encoded.
    pub(crate) path: &'a str,
    /// `Authorization` header.
    pub(crate) bearer: Option<&'a HeaderValue>,
    /// JSON, or empty.
    pub(crate) body: Bytes,
}

/// Status and whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// The body, never decoded here.
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body of a 2xx answer of this endpoint.
    pub(crate) fn success(self, endpoint: &'static str) -> Result<Bytes, Failure> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let errcode = scan::text_of(&self.body, "errcode").unwrap_or_default().to_owned();
        Err(Failure::Refused { endpoint, status: self.status, errcode })
    }
}

struct Link {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Pin<Box<http1::Connection<TokioIo<TcpStream>, Full<Bytes>>>>,
}

/// A kept-alive connection, opened when first used and again when the server has closed it in between.
pub(crate) struct Connection {
    server: Arc<Server>,
    link: Option<Link>,
    /// Longest wait for one answer.
    pub(crate) limit: Duration,
}

impl Connection {
    /// No network yet.
    pub(crate) fn new(server: Arc<Server>) -> Self {
        Self { server, link: None, limit: CALL_LIMIT }
    }

    /// Sends one request and reads the whole answer. Nothing is retried: a request that may have reached the
    /// server is not sent twice.
    pub(crate) async fn call(&mut self, call: Call<'_>) -> Result<Answer, Failure> {
        match timeout(self.limit, self.call_unbounded(call)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::Transport(format!("none within {} s", self.limit.as_secs()))),
        }
    }

    async fn call_unbounded(&mut self, call: Call<'_>) -> Result<Answer, Failure> {
        let request = self.request(call)?;
        let kept = match self.link.take() {
            Some(link) => link.still_open().await,
            None => None,
        };
        let mut link = match kept {
            Some(link) => link,
            None => self.connect().await?,
        };
        let answer = link.exchange(request).await?;
        self.link = Some(link);
        Ok(answer)
    }

    fn request(&self, call: Call<'_>) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::builder().method(call.method).uri(call.path);
        if let Some(headers) = request.headers_mut() {
            headers.insert(header::HOST, self.server.host.clone());
            if let Some(bearer) = call.bearer {
                headers.insert(header::AUTHORIZATION, bearer.clone());
            }
            if !call.body.is_empty() {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
        }
        request.body(Full::new(call.body)).map_err(|e| Failure::Unexpected(e.to_string()))
    }

    async fn connect(&self) -> Result<Link, Failure> {
        let stream = TcpStream::connect(&self.server.authority).await.map_err(lost)?;
        stream.set_nodelay(true).map_err(lost)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
        let link = Link { sender, driver: Box::pin(driver) };
        link.still_open().await.ok_or_else(|| Failure::Transport("closed at once".to_owned()))
    }
}

impl Link {
    /// Notices a close that happened while nobody looked.
    async fn still_open(mut self) -> Option<Self> {
        let ready = tokio::select! {
            biased;
            _ = &mut self.driver => false,
            ready = self.sender.ready() => ready.is_ok(),
        };
        ready.then_some(self)
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let sender = &mut self.sender;
        let exchange = async {
            let answer = sender.send_request(request).await.map_err(lost)?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.map_err(lost)?.to_bytes();
            Ok(Answer { status, body })
        };
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            biased;
            // `Connection: close` ends the driver when the answer is complete: look for it once more.
            _ = &mut self.driver => match timeout(Duration::ZERO, exchange).await {
                Ok(answer) => answer,
                Err(_) => Err(Failure::Transport("closed before the answer".to_owned())),
            },
            answer = &mut exchange => answer,
        }
    }
}

fn lost(error: impl fmt::Display) -> Failure {
    Failure::Transport(error.to_string())
}
