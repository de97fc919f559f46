//! A request id, a span and one log line for each request.
//!
//! Query strings, bodies, tokens and raw paths are never recorded: a path holds identifiers, the route's
//! template does not.

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::Instrument;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_REQUEST_ID: usize = 64;

/// The template of the route that answered, as `/_matrix/client/v3/rooms/{room_id}/state`. An extension of
/// the response, absent where no route matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route(pub Arc<str>);

/// Where request ids and durations come from; passed in, like all time and chance.
#[derive(Clone)]
pub struct Telemetry {
    /// Makes a request id, for requests that bring none.
    pub new_request_id: Arc<dyn Fn() -> String + Send + Sync>,
    /// The time since an arbitrary fixed moment; never goes back.
    pub elapsed: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Telemetry")
    }
}

pub(crate) async fn observe(State(telemetry): State<Telemetry>, request: Request, next: Next) -> Response {
    let request_id = given_request_id(request.headers()).unwrap_or_else(|| (telemetry.new_request_id)());
    let route = request.extensions().get::<MatchedPath>().map(|path| Route(Arc::from(path.as_str())));
    let route_name = route.as_ref().map_or("unmatched", |route| &*route.0);
    let span = tracing::info_span!("request", %request_id, method = %request.method(), route = route_name);

    let started = (telemetry.elapsed)();
    let mut response = next.run(request).instrument(span.clone()).await;
    let duration_us = (telemetry.elapsed)().saturating_sub(started).as_micros();

    span.in_scope(|| log(response.status().as_u16(), duration_us));
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

fn log(status: u16, duration_us: u128) {
    if status >= 500 {
        tracing::warn!(status, duration_us, "answered");
    } else {
        tracing::info!(status, duration_us, "answered");
    }
}

/// The id that the client or a proxy gave, if it is fit for logs.
fn given_request_id(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(REQUEST_ID)?.to_str().ok()?;
    let fit = (1..=LONGEST_REQUEST_ID).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    fit.then(|| value.to_owned())
}
