//! Where two devices meet before one of them is logged in, as a QR code names the place
//! (<https://github.com/matrix-org/matrix-spec-proposals/pull/4108>, in the form of 2024, which apps use).
//!
//! Not part of the specification yet. Where the organisation has not switched it on, none of these endpoints exists.

mod create_rendezvous;
mod delete_rendezvous;
mod get_rendezvous;
mod send_to_rendezvous;

use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use parvis_accounts::{RendezvousError, RendezvousMessage};
use parvis_ambient::Timestamp;
use parvis_wire::{Endpoint, Endpoints, MatrixError};
use std::time::{Duration, SystemTime};

use crate::{ApiError, ClientApi};

/// What browsers are told of a message besides the message: it is no page.
const GUARDS: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::PRAGMA, "no-cache"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox; frame-ancestors 'none'"),
];

const PLACES: &str = "/_matrix/client/unstable/org.matrix.msc4108/rendezvous";
const PLACE: &str = "/_matrix/client/unstable/org.matrix.msc4108/rendezvous/{rendezvous_id}";
const TEXT: &str = "text/plain";

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(Endpoint::open(Method::POST, PLACES, create_rendezvous::handle))
        .with(Endpoint::open(Method::GET, PLACE, get_rendezvous::handle))
        .with(Endpoint::open(Method::PUT, PLACE, send_to_rendezvous::handle))
        .with(Endpoint::open(Method::DELETE, PLACE, delete_rendezvous::handle))
}

/// # Errors
/// `M_UNRECOGNIZED` where the organisation does not let apps in by QR codes.
fn switched_on(api: &ClientApi) -> Result<(), ApiError> {
    let on = api.sign_on.as_deref().is_some_and(|sign_on| sign_on.qr_codes);
    if on { Ok(()) } else { Err(MatrixError::unrecognized().into()) }
}

/// The place that the path names.
fn id(path: &[String]) -> &str {
    path.first().map(String::as_str).unwrap_or_default()
}

/// Messages are text, so that what strangers leave here is never a page.
fn demand_text(headers: &HeaderMap) -> Result<(), ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case(TEXT) {
        Ok(())
    } else {
        Err(MatrixError::invalid_param("The content type is text/plain.").into())
    }
}

fn refused(error: RendezvousError) -> ApiError {
    match error {
        RendezvousError::Gone => MatrixError::not_found("There is no such rendezvous.").into(),
        RendezvousError::TooLarge => MatrixError::too_large("The message is too large.").into(),
        RendezvousError::Full => MatrixError::limit_exceeded(Duration::from_secs(60)).into(),
        RendezvousError::Changed => MatrixError::new(
            StatusCode::PRECONDITION_FAILED,
            ruma::api::error::ErrorCode::from("M_CONCURRENT_WRITE"),
            "Something else was written meanwhile.",
        )
        .into(),
    }
}

/// An answer that says which message a place has.
fn answer(
    status: StatusCode,
    message: &RendezvousMessage,
    body: impl axum::response::IntoResponse,
) -> Response {
    let mut response = (status, body).into_response();
    let said = [
        (header::ETAG, message.etag()),
        (header::EXPIRES, date(message.expires)),
        (header::LAST_MODIFIED, date(message.changed)),
    ];
    for (name, value) in said {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    for (name, value) in GUARDS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn date(time: Timestamp) -> String {
    let since = Duration::from_millis(u64::try_from(time.millis()).unwrap_or_default());
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since)
}
