//! Cross-origin headers on every response, and preflight requests answered on every path
//! (<https://spec.matrix.org/v1.19/client-server-api/#web-browser-clients>).

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

const HEADERS: [(HeaderName, &str); 4] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        "X-Requested-With, Content-Type, Authorization, If-Match, If-None-Match",
    ),
    (header::ACCESS_CONTROL_EXPOSE_HEADERS, "ETag, Retry-After, X-Request-Id"),
];

/// How long a browser may remember the answer to a preflight request.
const PREFLIGHT_LIFETIME_SECONDS: &str = "86400";

/// A mark on a response that is for the server's own pages alone: scripts of other origins are not let near it. An
/// extension of the response.
#[derive(Clone, Copy, Debug)]
pub struct SameOrigin;

pub(crate) async fn cors(request: Request, next: Next) -> Response {
    let preflight = request.method() == Method::OPTIONS;
    let mut response =
        if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    if response.extensions().get::<SameOrigin>().is_some() {
        return response;
    }
    add_headers(response.headers_mut());
    if preflight {
        let lifetime = HeaderValue::from_static(PREFLIGHT_LIFETIME_SECONDS);
        response.headers_mut().insert(header::ACCESS_CONTROL_MAX_AGE, lifetime);
    }
    response
}

fn add_headers(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
