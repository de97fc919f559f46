//! A client of few words: HTTP and JSON.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, header};
use serde_json::Value;

use crate::Answer;

/// No request takes longer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Somebody who asks a homeserver, logged in or not.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base_url: String,
    user_agent: Option<String>,
    token: Option<String>,
}

impl Client {
    /// One who is not logged in at the homeserver under this URL.
    pub(crate) fn new(base_url: &str) -> Self {
        let http = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build().unwrap();
        Self { http, base_url: base_url.to_owned(), user_agent: None, token: None }
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
    pub async fn try_get(&self, path: &str) -> Result<Answer, reqwest::Error> {
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
    ) -> Result<Answer, reqwest::Error> {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/_matrix/client/{path}") };
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base_url));
        let body = body.into();
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(user_agent) = &self.user_agent {
            request = request.header(header::USER_AGENT, user_agent);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await?;
        Ok(Answer { status, headers, body, request: format!("{method} {path}") })
    }
}

#[track_caller]
fn arrived(answer: Result<Answer, reqwest::Error>) -> Answer {
    answer.unwrap_or_else(|error| panic!("no answer: {error}"))
}
