//! A client of few words: HTTP and JSON, over loopback or by a call into a homeserver of this process.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use serde_json::Value;

use crate::Answer;

/// No request takes longer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Why no answer arrived.
#[derive(Clone, Debug)]
pub struct NoAnswer(pub String);

impl fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The answer to a request that is on its way.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<http::Response<Bytes>, NoAnswer>> + Send>>;

/// How a client's requests get to the homeserver.
#[derive(Clone)]
enum Way {
    /// Over a socket.
    Loopback { http: reqwest::Client, base_url: String },
    /// By a call.
    Direct(Arc<dyn Fn(http::Request<Bytes>) -> Answering + Send + Sync>),
}

impl fmt::Debug for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback { base_url, .. } => formatter.write_str(base_url),
            Self::Direct(_) => formatter.write_str("direct"),
        }
    }
}

/// Somebody who asks a homeserver, logged in or not.
#[derive(Clone, Debug)]
pub struct Client {
    way: Way,
    user_agent: Option<String>,
    token: Option<String>,
}

impl Client {
    /// One who is not logged in at the homeserver under this URL.
    pub(crate) fn new(base_url: &str) -> Self {
        let http = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build().unwrap();
        Self::by(Way::Loopback { http, base_url: base_url.to_owned() })
    }

    /// One who is not logged in at a homeserver of this process.
    pub(crate) fn direct(call: impl Fn(http::Request<Bytes>) -> Answering + Send + Sync + 'static) -> Self {
        Self::by(Way::Direct(Arc::new(call)))
    }

    fn by(way: Way) -> Self {
        Self { way, user_agent: None, token: None }
    }

    /// The same, with this `User-Agent`.
    #[must_use]
    pub fn with_user_agent(mut self, user_agent: Option<&str>) -> Self {
        self.user_agent = user_agent.map(str::to_owned);
        self
    }

    /// The same, with this access token.
    #[must_use]
    pub fn with_token(mut self, token: Option<&str>) -> Self {
        self.token = token.map(str::to_owned);
        self
    }

    /// The access token, where there is one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// `GET`. A path without a slash in front is one of the client API: `v3/sync`.
    pub async fn get(&self, path: &str) -> Answer {
        arrived(self.try_get(path).await)
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        arrived(self.try_send(Method::POST, path, body.to_string()).await)
    }

    /// `PUT` of JSON.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        arrived(self.try_send(Method::PUT, path, body.to_string()).await)
    }

    /// `DELETE`, with JSON.
    pub async fn delete(&self, path: &str, body: Value) -> Answer {
        arrived(self.try_send(Method::DELETE, path, body.to_string()).await)
    }

    /// Any request, with any body.
    pub async fn send_bytes(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        arrived(self.try_send(method, path, body).await)
    }

    /// `GET`, or why there is no answer.
    ///
    /// # Errors
    /// If no whole answer arrives.
    pub async fn try_get(&self, path: &str) -> Result<Answer, NoAnswer> {
        self.try_send(Method::GET, path, "").await
    }

    /// Any request, or why there is no answer.
    ///
    /// # Errors
    /// If no whole answer arrives.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, NoAnswer> {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/_matrix/client/{path}") };
        let request = self.request(&method, &path, body.into())?;
        let (head, body) = self.way.carry(request).await?.into_parts();
        let (status, headers) = (head.status.as_u16(), head.headers);
        Ok(Answer { status, headers, body, request: format!("{method} {path}") })
    }

    fn request(&self, method: &Method, path: &str, body: Bytes) -> Result<http::Request<Bytes>, NoAnswer> {
        let mut request = http::Request::builder().method(method).uri(path);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(user_agent) = &self.user_agent {
            request = request.header(header::USER_AGENT, user_agent);
        }
        request.body(body).map_err(|error| NoAnswer(format!("{path} cannot be asked for: {error}")))
    }
}

impl Way {
    async fn carry(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, NoAnswer> {
        match self {
            Self::Loopback { http, base_url } => carry_over_loopback(http, base_url, request)
                .await
                .map_err(|error| NoAnswer(error.to_string())),
            Self::Direct(call) => {
                let (mut head, body) = request.into_parts();
                head.headers.insert(header::HOST, HeaderValue::from_static("localhost"));
                call(http::Request::from_parts(head, body)).await
            }
        }
    }
}

async fn carry_over_loopback(
    http: &reqwest::Client,
    base_url: &str,
    request: http::Request<Bytes>,
) -> Result<http::Response<Bytes>, reqwest::Error> {
    let (head, body) = request.into_parts();
    let (method, path) = (head.method.clone(), head.uri.path().to_owned());
    let mut sending = http.request(head.method, format!("{base_url}{}", head.uri)).headers(head.headers);
    if !body.is_empty() {
        sending = sending.body(body);
    }
    let response = sending.send().await?;
    parvis_record::request(method.as_str(), &path, response.status().as_u16());
    let mut arrived = http::Response::new(Bytes::new());
    *arrived.status_mut() = response.status();
    *arrived.headers_mut() = response.headers().clone();
    *arrived.body_mut() = response.bytes().await?;
    Ok(arrived)
}

#[track_caller]
fn arrived(answer: Result<Answer, NoAnswer>) -> Answer {
    answer.unwrap_or_else(|error| panic!("no answer: {error}"))
}
