//! Identity providers, as we ask them: the organisation's own, at URLs that the operator has written down, or that a
//! provider itself names.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::Value;

use crate::{Limits, PeerError, Transport};

/// Somebody waits for the answer in a browser.
const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(15), max_bytes: 512 << 10, despite_back_off: true };

/// Asks identity providers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ProviderCaller(Arc<dyn Transport>);

/// What a provider is told beside the question.
#[derive(Clone, Copy)]
pub struct ProviderQuestion<'a> {
    /// Where it is asked.
    pub url: &'a str,
    /// A form to post; without one it is a `GET`.
    pub form: Option<&'a str>,
    /// The whole `Authorization` header, if there is one.
    pub authorization: Option<&'a str>,
}

impl fmt::Debug for ProviderQuestion<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ProviderQuestion").field("url", &self.url).finish_non_exhaustive()
    }
}

impl ProviderCaller {
    /// Over this network.
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self(transport)
    }

    /// Asks a provider, and gives the JSON of its answer.
    ///
    /// # Errors
    /// Any [`PeerError`]; [`PeerError::Refused`] if the answer is none of success.
    pub async fn ask(&self, question: ProviderQuestion<'_>) -> Result<Value, PeerError> {
        let ProviderQuestion { url, form, authorization } = question;
        let unsendable = |problem: String| PeerError::Unsendable(format!("{url}: {problem}"));
        let uri: Uri = url.parse().map_err(|error| unsendable(format!("{error}")))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(unsendable("is not a whole URL".to_owned()));
        };
        let method = if form.is_some() { Method::POST } else { Method::GET };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request =
            http::Request::builder().method(method).uri(path).header(ACCEPT, "application/json");
        if form.is_some() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if let Some(authorization) = authorization {
            let mut value =
                HeaderValue::from_str(authorization).map_err(|error| unsendable(error.to_string()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let body = Bytes::copy_from_slice(form.unwrap_or_default().as_bytes());
        let request = request.body(body).map_err(|error| unsendable(error.to_string()))?;
        let answer = self.0.call_service(&format!("{scheme}://{authority}"), request, LIMITS).await?;
        let (head, body) = answer.into_parts();
        let body = body.collect(url, LIMITS.max_bytes).await?;
        let json = serde_json::from_slice::<Value>(&body).ok().filter(Value::is_object);
        match json {
            Some(json) if head.status.is_success() => Ok(json),
            json => Err(PeerError::Refused {
                server: url.to_owned(),
                status: head.status,
                errcode: String::new(),
                // What a provider says of tokens is not repeated, but for the code of RFC 6749.
                message: json
                    .as_ref()
                    .and_then(|json| json.get("error")?.as_str())
                    .map(|error| error.chars().take(64).collect())
                    .unwrap_or_default(),
                body: None,
            }),
        }
    }
}
